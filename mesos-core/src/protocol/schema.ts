import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';

const PROTO_DIRECTORY = fileURLToPath(new URL('./proto/', import.meta.url));
const PROTO_FILES = [
  'mesos.proto',
  'allocator.proto',
  'maintenance.proto',
  'quota.proto',
  'scheduler.proto',
  'executor.proto',
  'master.proto',
  'agent.proto',
];

/** Messages made of one `type` and one payload named after it: unions in `messages.ts`. */
const UNION_NAME = /(\.(Call|Event|Response)|\.Offer\.Operation)$/;

/**
 * Payloads that Mesos itself leaves out or does without: REVIVE and SUPPRESS without one mean all
 * roles; GET_CONTAINERS without one means the defaults; no weights set gives a GET_WEIGHTS response
 * without one.
 */
export const OPTIONAL_PAYLOADS: ReadonlySet<string> = new Set([
  'scheduler.Call.revive',
  'scheduler.Call.suppress',
  'master.Response.get_weights',
  'agent.Call.get_containers',
]);

/**
 * Reads and links the .proto files of this folder (about 35 ms).
 * @throws Error when one does not parse.
 */
export function loadSchema(): protobuf.Root {
  const root = new protobuf.Root();
  // Imports name files of the same folder, but for google/, which protobufjs brings along.
  root.resolvePath = (_origin, target) =>
    target.startsWith('google/') ? target : `${PROTO_DIRECTORY}${target}`;
  root.loadSync(PROTO_FILES, { keepCase: true });
  root.resolveAll();
  return root;
}

/** `.mesos.v1.scheduler.Call` → `scheduler.Call`; the names of `MessageTypes`. */
export function shortName(object: protobuf.ReflectionObject): string {
  return object.fullName.replace(/^\.(mesos\.v1\.)?/, '');
}

/** Whether the message is a discriminated union on `type`. */
export function isUnion(type: protobuf.Type): boolean {
  return UNION_NAME.test(type.fullName);
}

/** How a value of a field is written. */
export type FieldKind =
  | 'message'
  | 'enum'
  | 'string'
  | 'bytes'
  | 'bool'
  | 'double'
  | 'float'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64';

/** One field, as the codecs want it. */
export interface FieldPlan {
  readonly name: string;
  readonly id: number;
  readonly kind: FieldKind;
  readonly label: 'optional' | 'required' | 'repeated' | 'map';
  /** Of a `message` field. */
  readonly message: MessagePlan | undefined;
  /** Of an `enum` field. */
  readonly enumeration: EnumPlan | undefined;
  /** What Mesos prints in JSON when the field is not set; undefined when nothing. */
  readonly printedDefault: string | number | boolean | undefined;
}

/** The names and numbers of an enum. */
interface EnumPlan {
  readonly numberOf: ReadonlyMap<string, number>;
  readonly nameOf: ReadonlyMap<number, string>;
}

/** One message, as the codecs want it. */
export interface MessagePlan {
  /** As in `MessageTypes`. */
  readonly name: string;
  readonly fields: readonly FieldPlan[];
  readonly byName: ReadonlyMap<string, FieldPlan>;
  readonly byId: ReadonlyMap<number, FieldPlan>;
  readonly requiredNames: readonly string[];
  /** For a union: the payload that each `type` insists on. */
  readonly payloads: ReadonlyMap<string, string> | undefined;
  /** Fields that are printed without being set, or hold messages with such a field. */
  readonly printedFields: readonly FieldPlan[];
}

/** The plans of all messages by their name in `MessageTypes`. */
export function planMessages(root: protobuf.Root): ReadonlyMap<string, MessagePlan> {
  const plans = new Map<protobuf.Type, Draft>();
  for (const type of messagesOf(root)) plans.set(type, draft(type));
  for (const [type, plan] of plans) {
    for (const field of type.fieldsArray) addField(plan, planField(field, plans));
  }
  markPrintedDefaults([...plans.values()]);
  return new Map([...plans.values()].map((plan) => [plan.name, plan]));
}

/** A plan under construction: messages refer to each other in circles. */
interface Draft extends MessagePlan {
  readonly fields: FieldPlan[];
  readonly byName: Map<string, FieldPlan>;
  readonly byId: Map<number, FieldPlan>;
  readonly requiredNames: string[];
  readonly printedFields: FieldPlan[];
}

function* messagesOf(namespace: protobuf.NamespaceBase): Generator<protobuf.Type> {
  for (const object of namespace.nestedArray) {
    if (object instanceof protobuf.Type) yield object;
    if (object instanceof protobuf.Namespace) yield* messagesOf(object);
  }
}

function draft(type: protobuf.Type): Draft {
  return {
    name: shortName(type),
    fields: [],
    byName: new Map(),
    byId: new Map(),
    requiredNames: [],
    payloads: isUnion(type) ? payloadsOf(type) : undefined,
    printedFields: [],
  };
}

function payloadsOf(type: protobuf.Type): ReadonlyMap<string, string> {
  const kinds = type.fields.type?.resolvedType;
  if (!(kinds instanceof protobuf.Enum)) throw new Error(`${type.fullName} has no enum 'type'`);
  const payloads = new Map<string, string>();
  for (const kind of Object.keys(kinds.values)) {
    const payload = type.fields[kind.toLowerCase()];
    if (payload === undefined || OPTIONAL_PAYLOADS.has(shortName(payload))) continue;
    payloads.set(kind, payload.name);
  }
  return payloads;
}

function addField(plan: Draft, field: FieldPlan): void {
  plan.fields.push(field);
  plan.byName.set(field.name, field);
  plan.byId.set(field.id, field);
  if (field.label === 'required') plan.requiredNames.push(field.name);
}

function planField(field: protobuf.Field, plans: ReadonlyMap<protobuf.Type, Draft>): FieldPlan {
  const { resolvedType } = field;
  const isMap = field instanceof protobuf.MapField;
  const single = field.required ? 'required' : 'optional';
  return {
    name: field.name,
    id: field.id,
    kind: kindOf(field),
    label: isMap ? 'map' : field.repeated ? 'repeated' : single,
    message: resolvedType instanceof protobuf.Type ? plans.get(resolvedType) : undefined,
    enumeration: resolvedType instanceof protobuf.Enum ? planEnum(resolvedType) : undefined,
    printedDefault: printedDefault(field),
  };
}

function kindOf(field: protobuf.Field): FieldKind {
  if (field.resolvedType instanceof protobuf.Type) return 'message';
  if (field.resolvedType instanceof protobuf.Enum) return 'enum';
  switch (field.type) {
    case 'string':
    case 'bytes':
    case 'bool':
    case 'double':
    case 'float':
    case 'int32':
    case 'uint32':
    case 'int64':
    case 'uint64':
      return field.type;
    default:
      throw new Error(`No codec for ${field.type}, of ${field.fullName}`);
  }
}

/** Mesos prints explicit defaults of fields that are not set, except of deprecated ones. */
function printedDefault(field: protobuf.Field): string | number | boolean | undefined {
  if (field.options?.deprecated === true) return undefined;
  const value: unknown = field.options?.default;
  const isPrintable =
    typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
  return isPrintable ? value : undefined;
}

function planEnum(type: protobuf.Enum): EnumPlan {
  const entries = Object.entries(type.values);
  return {
    numberOf: new Map(entries),
    nameOf: new Map(entries.map(([name, number]) => [number, name])),
  };
}

/** Fills `printedFields`, going round until no message gains one from a message inside it. */
function markPrintedDefaults(plans: readonly Draft[]): void {
  let changed = true;
  while (changed) {
    changed = false;
    for (const { fields, printedFields } of plans) {
      for (const field of fields) {
        if (printedFields.includes(field) || !printsSomething(field)) continue;
        printedFields.push(field);
        changed = true;
      }
    }
  }
}

function printsSomething(field: FieldPlan): boolean {
  return field.printedDefault !== undefined || (field.message?.printedFields.length ?? 0) > 0;
}
