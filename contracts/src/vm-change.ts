import { type Static, Type } from 'typebox';
import { SecurityRulesSchema } from './subnet.ts';

/** `PATCH /v1/vms/{id}`: what is left out stays as it is. */
export const VmChangeSchema = Type.Object(
  {
    /** In place of those of its batch, before those of its subnets; null: its batch's again. */
    securityRules: Type.Optional(Type.Union([SecurityRulesSchema, Type.Null()])),
    /** Whether it has an external address, one of those of its host. */
    externalAddress: Type.Optional(Type.Boolean()),
  },
  {
    additionalProperties: false,
    minProperties: 1,
    examples: [
      {
        securityRules: [{ direction: 'in', protocol: 'tcp', ports: [22, 22], action: 'accept' }],
        externalAddress: true,
      },
    ],
  },
);
export type VmChange = Static<typeof VmChangeSchema>;
