import { type Static, Type } from 'typebox';
import { ImageVersionSchema } from './image.ts';
import { NameSchema } from './vm.ts';

/** A version of an image, as scheduler and executors name it to each other. */
const VersionOfSchema = Type.Object({ name: NameSchema, version: ImageVersionSchema });

/** How a version stands with a host: here (100 percent), on its way, or waiting to be. */
export const ImageOnHostSchema = Type.Interface([VersionOfSchema], {
  percent: Type.Integer({ minimum: 0, maximum: 100 }),
  /** It waits for a ticket: only so many copies go on at a time in a cluster. */
  waits: Type.Optional(Type.Boolean()),
});
export type ImageOnHost = Static<typeof ImageOnHostSchema>;

/** Executor to scheduler: all images of its host, when something changed and from time to time. */
export const HostImagesMessageSchema = Type.Object({
  type: Type.Literal('images'),
  images: Type.Array(ImageOnHostSchema),
});
export type HostImagesMessage = Static<typeof HostImagesMessageSchema>;

/** Scheduler to executor: bring these here before machines ask for them. */
export const StageImagesMessageSchema = Type.Object({
  type: Type.Literal('stageImages'),
  images: Type.Array(VersionOfSchema),
});

/** Scheduler to executor: these copies may begin. */
export const PullTicketsMessageSchema = Type.Object({
  type: Type.Literal('pullTickets'),
  versions: Type.Array(ImageVersionSchema),
});

/** `POST /v1/images:stage` of the vm-scheduler: all that is wanted on agents now, in full. */
export const PostStagesSchema = Type.Object({
  stages: Type.Array(Type.Interface([VersionOfSchema], { agentIds: Type.Array(Type.String()) })),
});
export type AgentStage = Static<typeof PostStagesSchema>['stages'][number];

/** `GET /v1/images` of the vm-scheduler. */
export const HostImagesListSchema = Type.Object({
  agents: Type.Array(
    Type.Object({ agentId: Type.String(), images: Type.Array(ImageOnHostSchema) }),
  ),
});
export type HostImagesList = Static<typeof HostImagesListSchema>;
