import { PROGRAM } from '../frame.ts';
import {
  type Codec,
  int,
  optional,
  stringOf,
  struct,
  uhyper,
  uint,
  uuid,
  type ValueOf,
} from '../xdr.ts';

/** What the families of procedures are made of. */

/** A row of the table. */
export interface Procedure<Args, Result> {
  /** The program that has it: one of {@link PROGRAM}. */
  readonly program: number;
  readonly number: number;
  readonly args: Codec<Args>;
  readonly result: Codec<Result>;
}

/** What a row takes. */
export type ArgsOf<P> = P extends Procedure<infer Args, unknown> ? Args : never;
/** What a row gives. */
export type ResultOf<P> = P extends Procedure<infer _Args, infer Result> ? Result : never;

/** A row of the program `remote`: what all of libvirt's drivers have (remote_protocol.x). */
export function procedure<Args, Result>(
  number: number,
  args: Codec<Args>,
  result: Codec<Result>,
): Procedure<Args, Result> {
  return { program: PROGRAM.remote, number, args, result };
}

/** A row of the program `qemu`: what QEMU's driver alone has (qemu_protocol.x). */
export function qemuProcedure<Args, Result>(
  number: number,
  args: Codec<Args>,
  result: Codec<Result>,
): Procedure<Args, Result> {
  return { program: PROGRAM.qemu, number, args, result };
}

/** VIR_NET_MESSAGE_STRING_MAX. */
export const text = stringOf(4_194_304);
/** REMOTE_DOMAIN_LIST_MAX, REMOTE_NETWORK_LIST_MAX and REMOTE_DOMAIN_SNAPSHOT_LIST_MAX. */
export const LIST_MAX = 16_384;

export const domain = struct({ name: text, uuid, id: int });
export const network = struct({ name: text, uuid });
export const snapshot = struct({ name: text, domain });

/** `remote_nonnull_domain`; `id` is -1 for a domain that does not run. */
export type WireDomain = ValueOf<typeof domain>;
/** `remote_nonnull_domain_snapshot`. */
export type WireSnapshot = ValueOf<typeof snapshot>;

export const onDomain = struct({ domain });
export const onDomainWithFlags = struct({ domain, flags: uint });
export const onDomainWithXml = struct({ domain, xml: text, flags: uint });
export const xmlAndFlags = struct({ xml: text, flags: uint });
export const aDomain = struct({ domain });
export const anXml = struct({ xml: text });
export const aVersion = struct({ version: uhyper });

/** virNetMessageError, the payload of everything with status `error`. */
export const remoteError = struct({
  code: int,
  domain: int,
  message: optional(text),
  level: int,
  dom: optional(domain),
  str1: optional(text),
  str2: optional(text),
  str3: optional(text),
  int1: int,
  int2: int,
  net: optional(network),
});
