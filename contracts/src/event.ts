import { type Static, Type } from 'typebox';
import { stringEnum } from './ids.ts';

/** What may happen in a project. More may be added: readers pass over what they do not know. */
export const EVENT_TYPES = [
  'batch.accepted',
  'batch.planned',
  'batch.stateChanged',
  'batch.closed',
  'batch.expiring',
  'vm.created',
  'vm.moved',
  'vm.wished',
  'vm.stateChanged',
  'vm.ready',
  'vm.changed',
  'operation.started',
  'operation.ended',
  'volume.created',
  'volume.stateChanged',
  'volume.removed',
  'subnet.created',
  'subnet.removed',
  'image.created',
  'image.stateChanged',
  'image.removed',
  'key.created',
  'key.revoked',
  'cluster.silent',
  'cluster.back',
  'webhook.test',
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** Something that has changed in a project. */
export const EventSchema = Type.Object({
  number: Type.Integer({
    minimum: 1,
    description: "Counts the project's events without gaps, in their order.",
  }),
  at: Type.String({ format: 'date-time', description: 'When it got its number.' }),
  type: stringEnum(EVENT_TYPES),
  subject: Type.String({ description: 'The id of what has changed.' }),
  data: Type.Record(Type.String(), Type.Unknown(), {
    description: 'What there is to say of it, by its type.',
  }),
});
export type Event = Static<typeof EventSchema>;

/** Some events, in order. */
export const EventPageSchema = Type.Object({
  items: Type.Array(EventSchema),
  next: Type.Integer({ description: 'Ask with this as `after` for what follows.' }),
  newest: Type.Integer({ description: 'The number of the newest event; 0: there is none yet.' }),
});
export type EventPage = Static<typeof EventPageSchema>;
