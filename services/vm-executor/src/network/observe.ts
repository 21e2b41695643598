import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { Value } from 'typebox/value';

/** A link of the host, as `ip -json -details link show` tells of it. */
export interface SeenLink {
  readonly name: string;
  readonly alias: string | null;
  /** The bridge that it is a port of. */
  readonly master: string | null;
  readonly isUp: boolean;
  readonly vxlan: { readonly vni: number; readonly local: string; readonly port: number } | null;
}

const LinksSchema = Type.Array(
  Type.Object({
    ifname: Type.Optional(Type.String()),
    ifalias: Type.Optional(Type.String()),
    master: Type.Optional(Type.String()),
    flags: Type.Optional(Type.Array(Type.String())),
    linkinfo: Type.Optional(
      Type.Object({
        info_kind: Type.Optional(Type.String()),
        info_data: Type.Optional(Type.Any()),
      }),
    ),
  }),
);
const VxlanSchema = Type.Object({
  id: Type.Integer(),
  local: Type.String(),
  port: Type.Integer(),
});

/** Reads what `ip -json -details link show` printed. @throws when it is not of that form. */
export function parseLinks(text: string): readonly SeenLink[] {
  return Value.Parse(LinksSchema, parseJson(text)).flatMap((link) => {
    // iproute2 6.1 prints an empty object for each link that it filtered out.
    if (link.ifname === undefined) return [];
    const { info_kind: kind, info_data: data } = link.linkinfo ?? {};
    const isVxlan = kind === 'vxlan' && Value.Check(VxlanSchema, data);
    return {
      name: link.ifname,
      alias: link.ifalias ?? null,
      master: link.master ?? null,
      isUp: link.flags?.includes('UP') ?? false,
      vxlan: isVxlan ? { vni: data.id, local: data.local, port: data.port } : null,
    };
  });
}

const NamespacesSchema = Type.Array(Type.Object({ name: Type.String() }));

/** Names that `ip -json netns list` printed. */
export function parseNamespaces(text: string): readonly string[] {
  return Value.Parse(NamespacesSchema, parseJson(text)).map(({ name }) => name);
}

// Compiled: a subnet may have thousands of cards.
const FdbSchema = Compile(
  Type.Array(Type.Object({ mac: Type.String(), dst: Type.Optional(Type.String()) })),
);

/** Where a tunnel sends frames: to `address` those for `mac`, of 00:00:00:00:00:00 all others. */
export interface FdbEntry {
  readonly mac: string;
  readonly address: string;
}

/** Entries with a destination that `bridge -json fdb show dev <vxlan>` printed. */
export function parseFdb(text: string): readonly FdbEntry[] {
  return FdbSchema.Parse(parseJson(text)).flatMap(({ mac, dst }) =>
    dst === undefined ? [] : { mac, address: dst },
  );
}

/** iproute2 prints nothing at all for an empty list. */
export function parseJson(text: string): unknown {
  return text.trim() === '' ? [] : JSON.parse(text);
}
