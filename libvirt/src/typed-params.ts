import { LibvirtProtocolError } from './errors.ts';
import { bool, type Codec, double, hyper, int, stringOf, struct, uhyper, uint } from './xdr.ts';

/** virTypedParameterType: the tag says how the value is written. */
export type TypedValue =
  | { readonly type: 'int'; readonly value: number }
  | { readonly type: 'uint'; readonly value: number }
  | { readonly type: 'llong'; readonly value: bigint }
  | { readonly type: 'ullong'; readonly value: bigint }
  | { readonly type: 'double'; readonly value: number }
  | { readonly type: 'boolean'; readonly value: boolean }
  | { readonly type: 'string'; readonly value: string };

/** A list of named, typed values, by name. A name that comes twice keeps its last value. */
export type TypedParams = ReadonlyMap<string, TypedValue['value']>;

const text = stringOf(4_194_304);
const TAGS = { int: 1, uint: 2, llong: 3, ullong: 4, double: 5, boolean: 6, string: 7 } as const;

const typedValue: Codec<TypedValue> = {
  encode(writer, param) {
    writer.writeInt32(TAGS[param.type]);
    switch (param.type) {
      case 'int':
        return int.encode(writer, param.value);
      case 'uint':
        return uint.encode(writer, param.value);
      case 'llong':
        return hyper.encode(writer, param.value);
      case 'ullong':
        return uhyper.encode(writer, param.value);
      case 'double':
        return double.encode(writer, param.value);
      case 'boolean':
        return bool.encode(writer, param.value);
      case 'string':
        return text.encode(writer, param.value);
    }
  },
  decode(reader) {
    const tag = reader.readInt32();
    switch (tag) {
      case TAGS.int:
        return { type: 'int', value: int.decode(reader) };
      case TAGS.uint:
        return { type: 'uint', value: uint.decode(reader) };
      case TAGS.llong:
        return { type: 'llong', value: hyper.decode(reader) };
      case TAGS.ullong:
        return { type: 'ullong', value: uhyper.decode(reader) };
      case TAGS.double:
        return { type: 'double', value: double.decode(reader) };
      case TAGS.boolean:
        return { type: 'boolean', value: bool.decode(reader) };
      case TAGS.string:
        return { type: 'string', value: text.decode(reader) };
      default:
        throw new LibvirtProtocolError(`a typed parameter of type ${tag}`);
    }
  },
};

/** `remote_typed_param`. */
export const typedParam = struct({ field: text, value: typedValue });

/** The parameters as a map, without their wire types. */
export function typedParamsOf(
  params: readonly { readonly field: string; readonly value: TypedValue }[],
): TypedParams {
  return new Map(params.map((param) => [param.field, param.value.value]));
}

/** An integer by its name. Some drivers say uint where others say ullong: callers see a bigint. */
export function integerOf(params: TypedParams, name: string): bigint | undefined {
  const value = params.get(name);
  if (typeof value === 'bigint') return value;
  return typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : undefined;
}

/** A string by its name. */
export function textOf(params: TypedParams, name: string): string | undefined {
  const value = params.get(name);
  return typeof value === 'string' ? value : undefined;
}

/**
 * What `read` gives for 0 up to the count of that name. A count comes from libvirt, so it never
 * makes us loop further than there are parameters.
 */
export function listOf<T>(
  params: TypedParams,
  countName: string,
  read: (index: number) => T | undefined,
): readonly T[] {
  const count = Math.min(Number(integerOf(params, countName) ?? 0n), params.size);
  return Array.from({ length: count }, (_, index) => read(index)).filter(
    (item) => item !== undefined,
  );
}
