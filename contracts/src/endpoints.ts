import { type Static, Type } from 'typebox';

/** `.factory/endpoints.json`: where the parts of a running factory listen. */
export const EndpointsSchema = Type.Object({
  gateway: Type.String(),
  /** All of them, when there are several. */
  gateways: Type.Optional(Type.Array(Type.String(), { minItems: 1 })),
  console: Type.String(),
  clusters: Type.Array(
    Type.Object({
      name: Type.String(),
      master: Type.String(),
      agents: Type.Array(Type.String()),
      vmScheduler: Type.String(),
      containerScheduler: Type.Union([Type.String(), Type.Null()]),
    }),
  ),
});
export type Endpoints = Static<typeof EndpointsSchema>;

/** `.factory/credentials.json`, mode 0600: an admin's key pair. */
export const CredentialsSchema = Type.Object({ keyId: Type.String(), secret: Type.String() });
export type Credentials = Static<typeof CredentialsSchema>;
