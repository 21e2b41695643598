import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';

/** What the background supervisor is started with: one JSON argument, without secrets. */
const UpArgumentsSchema = Type.Object({
  root: Type.String(),
  data: Type.String(),
  port: Type.Integer(),
  options: Type.Object({
    clusters: Type.Integer(),
    agents: Type.Integer(),
    hypervisor: Type.Union([Type.Literal('libvirt'), Type.Literal('simulated')]),
    apiServers: Type.Optional(Type.Integer({ minimum: 1 })),
    gateways: Type.Optional(Type.Integer({ minimum: 1 })),
    externalAddresses: Type.Optional(Type.String()),
    sharedStorage: Type.Optional(Type.Union([Type.Literal('folder'), Type.Literal('gluster')])),
    agentResources: Type.Optional(Type.String()),
    agentAttributes: Type.Optional(Type.String()),
  }),
});
export type UpArguments = Static<typeof UpArgumentsSchema>;

/** What it tells the process that started it. */
const SupervisorMessageSchema = Type.Union([
  Type.Object({ type: Type.Literal('progress'), text: Type.String() }),
  Type.Object({ type: Type.Literal('ready') }),
  Type.Object({ type: Type.Literal('failed'), message: Type.String() }),
]);
export type SupervisorMessage = Static<typeof SupervisorMessageSchema>;

const upArguments = Compile(UpArgumentsSchema);
const supervisorMessage = Compile(SupervisorMessageSchema);

export function parseUpArguments(argument: string | undefined): UpArguments {
  return upArguments.Parse(JSON.parse(argument ?? 'null'));
}

export function parseSupervisorMessage(value: unknown): SupervisorMessage | undefined {
  return supervisorMessage.Check(value) ? value : undefined;
}
