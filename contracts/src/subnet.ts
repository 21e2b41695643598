import { type Static, Type } from 'typebox';
import { ProjectIdSchema, SubnetIdSchema, stringEnum } from './ids.ts';
import { NameSchema, SecurityRuleSchema } from './vm.ts';

export const SUBNET_LIMITS = {
  /** Of a project. */
  subnetsMax: 256,
  /** Bits of the smallest and the largest network. */
  prefixBitsMin: 16,
  prefixBitsMax: 29,
  /** Of a subnet, and of a batch on top of it. */
  securityRulesMax: 50,
  /** Network cards of a machine. */
  cardsMax: 8,
  /** VXLAN's numbers have 24 bits (RFC 7348), and 0 is not used. */
  vniMax: 16_777_215,
} as const;

const strict = { additionalProperties: false } as const;

const CidrSchema = Type.String({ maxLength: 18 });
const EgressSchema = stringEnum(['none', 'nat'] as const);
const DnsDomainSchema = Type.String({
  pattern: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$',
  maxLength: 189,
});
/** A rule as users write it. Those of a machine are those of its batch, then those of its subnet. */
export const SecurityRulesSchema = Type.Array(Type.Object(SecurityRuleSchema.properties, strict), {
  maxItems: SUBNET_LIMITS.securityRulesMax,
});

/** `POST /v1/subnets` */
export const SubnetRequestSchema = Type.Object(
  {
    name: NameSchema,
    cidr: CidrSchema,
    egress: Type.Optional(EgressSchema),
    dnsDomain: Type.Optional(DnsDomainSchema),
    securityRules: Type.Optional(SecurityRulesSchema),
  },
  {
    ...strict,
    examples: [
      {
        name: 'render',
        cidr: '10.20.0.0/16',
        egress: 'nat',
        securityRules: [{ direction: 'in', protocol: 'tcp', ports: [22, 22], action: 'accept' }],
      },
    ],
  },
);
export type SubnetRequest = Static<typeof SubnetRequestSchema>;

/** `PATCH /v1/subnets/{id}`: what is left out stays as it is. */
export const SubnetChangeSchema = Type.Object(
  {
    name: Type.Optional(NameSchema),
    egress: Type.Optional(EgressSchema),
    securityRules: Type.Optional(SecurityRulesSchema),
  },
  { ...strict, examples: [{ securityRules: [] }] },
);
export type SubnetChange = Static<typeof SubnetChangeSchema>;

/** A subnet as the REST API shows it. */
export const SubnetSchema = Type.Object({
  id: SubnetIdSchema,
  name: NameSchema,
  projectId: ProjectIdSchema,
  cidr: CidrSchema,
  /** The first address: the way out, DHCP and DNS. */
  gatewayAddress: Type.String(),
  egress: EgressSchema,
  /** Machines are called `<name>.<dnsDomain>` in it. */
  dnsDomain: DnsDomainSchema,
  securityRules: Type.Array(SecurityRuleSchema),
  /** Of the network between hosts (VXLAN). */
  vni: Type.Integer({ minimum: 1, maximum: SUBNET_LIMITS.vniMax }),
  /** Addresses for machines, and how many of these machines have. */
  addressCount: Type.Integer(),
  usedAddressCount: Type.Integer(),
  createdAt: Type.String({ format: 'date-time' }),
});
export type Subnet = Static<typeof SubnetSchema>;

/** A network card that a batch's machines are to have. */
export const NicRequestSchema = Type.Object(
  {
    /** Name of a subnet of the project, or its id. */
    subnet: Type.String({ minLength: 1, maxLength: 63 }),
    /** For a batch of one machine: the address that it is to have. */
    ipAddress: Type.Optional(Type.String({ maxLength: 15 })),
  },
  strict,
);
export type NicRequest = Static<typeof NicRequestSchema>;

/** What a batch's request may say of networks. */
export const NETWORK_FIELDS = {
  /** The first card; without it, the project's subnet `default`. */
  network: Type.Optional(NicRequestSchema),
  /** Further cards. */
  nics: Type.Optional(Type.Array(NicRequestSchema, { maxItems: SUBNET_LIMITS.cardsMax - 1 })),
  /** They come before those of the subnets, for all cards. */
  securityRules: Type.Optional(SecurityRulesSchema),
};
