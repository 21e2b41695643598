import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Fields } from './checks.ts';
import {
  decodeMessage,
  decodeProtobuf,
  encodeMessage,
  encodeProtobuf,
  fromJson,
  messageNames,
  toJson,
} from './codec.ts';
import { type FieldPlan, loadSchema, type MessagePlan, planMessages } from './schema.ts';

const plans = planMessages(loadSchema());

/** Optional messages inside messages end here: some types contain themselves. */
const DEPTH_MAX = 4;

function messageArbitrary(plan: MessagePlan, depth = 0): fc.Arbitrary<Fields> {
  const fields: Record<string, fc.Arbitrary<unknown>> = {};
  for (const field of plan.fields) {
    if (field.label !== 'required' && field.kind === 'message' && depth >= DEPTH_MAX) continue;
    fields[field.name] = fieldArbitrary(field, depth);
  }
  const record = fc.record(fields, { requiredKeys: [...plan.requiredNames] });
  return plan.payloads === undefined ? record : record.chain((some) => unionOf(plan, some));
}

function unionOf(plan: MessagePlan, some: Fields): fc.Arbitrary<Fields> {
  const isPlayable = (type: string): boolean => {
    const payload = plan.payloads?.get(type);
    return payload === undefined || some[payload] !== undefined;
  };
  const types = [...(plan.byName.get('type')?.enumeration?.numberOf.keys() ?? [])];
  return fc.constantFrom(...types.filter(isPlayable)).map((type) => ({ ...some, type }));
}

function fieldArbitrary(field: FieldPlan, depth: number): fc.Arbitrary<unknown> {
  const value = valueArbitrary(field, depth);
  if (field.label === 'repeated') return fc.array(value, { minLength: 1, maxLength: 2 });
  if (field.label === 'map') {
    return fc.dictionary(fc.string(), value, { maxKeys: 2, noNullPrototype: true });
  }
  return value;
}

function valueArbitrary(field: FieldPlan, depth: number): fc.Arbitrary<unknown> {
  switch (field.kind) {
    case 'message':
      return field.message === undefined
        ? fc.constant({})
        : messageArbitrary(field.message, depth + 1);
    case 'enum':
      return fc.constantFrom(...(field.enumeration?.numberOf.keys() ?? []));
    case 'string':
      return fc.string({ unit: 'binary', maxLength: 8 });
    case 'bytes':
      return fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString('base64'));
    case 'bool':
      return fc.boolean();
    case 'double':
      return fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0);
    case 'float':
      return fc.float({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0);
    case 'int32':
      return fc.integer();
    case 'uint32':
      return fc.nat({ max: 2 ** 31 - 1 }).map((half) => half * 2 + 1);
    case 'int64':
      return fc.maxSafeInteger();
    case 'uint64':
      return fc.maxSafeNat();
  }
}

/** The map fields of a message may be there and empty, which protobuf can't say. */
function withoutEmptyMaps(plan: MessagePlan, fields: Fields): Fields {
  const result: Fields = {};
  for (const { name, label, message } of plan.fields) {
    const value = fields[name];
    const inner = (each: unknown): unknown =>
      message === undefined ? each : withoutEmptyMaps(message, each as Fields);
    if (value === undefined) continue;
    if (label === 'repeated') result[name] = (value as readonly unknown[]).map(inner);
    else if (label === 'map') {
      const entries = Object.entries(value as object).map(([key, each]) => [key, inner(each)]);
      if (entries.length > 0) result[name] = Object.fromEntries(entries);
    } else result[name] = inner(value);
  }
  return result;
}

/** The JSON value, never to be changed. */
function frozen<T>(json: T): T {
  if (typeof json === 'object' && json !== null) Object.values(json).forEach(frozen);
  return Object.freeze(json);
}

/** The same with what a reader has to skip, before, between and after its fields. */
function withNoise(plan: MessagePlan, json: Fields): Fields {
  const fields = Object.entries(json).flatMap(([name, value], index) => {
    const { label, message } = plan.byName.get(name) ?? {};
    const noisy = (each: unknown): unknown =>
      message === undefined ? each : withNoise(message, each as Fields);
    const read = Array.isArray(value) ? value.map(noisy) : label === 'map' ? value : noisy(value);
    return [[name, read] as const, [`unknown_${index}`, { value: index }] as const];
  });
  return Object.fromEntries([['first', null], ...fields]);
}

describe('a message in JSON', () => {
  const names = ['Task', 'scheduler.Call', 'Offer.Operation', 'ContainerInfo'] as const;

  it.each(names)('%s is read without a change to what it is read from', (name) => {
    const plan = plans.get(name);
    if (plan === undefined) throw new Error(`no plan for ${name}`);
    fc.assert(
      fc.property(messageArbitrary(plan, 2), (fields) => {
        const json = JSON.parse(JSON.stringify(toJson(name, fields as never)));
        const read = fromJson(name, frozen(structuredClone(json)));
        expect(fromJson(name, frozen(withNoise(plan, json)))).toEqual(read);
        expect(read).toEqual(json);
      }),
      { numRuns: 30 },
    );
  });

  it('is given a type where it has none, in a copy', () => {
    const json = frozen({ offers: { offers: [] } });
    expect(fromJson('scheduler.Event', json)).toEqual({ ...json, type: 'UNKNOWN' });
  });
});

describe('every message', () => {
  it.each(messageNames)('%s survives protobuf and JSON', (name) => {
    const plan = plans.get(name);
    if (plan === undefined) throw new Error(`no plan for ${name}`);
    const arbitrary = messageArbitrary(plan, plan.fields.length > 15 ? 3 : 2);
    fc.assert(
      fc.property(arbitrary, (fields) => {
        const message = withoutEmptyMaps(plan, fields) as never;
        expect(decodeProtobuf(name, encodeProtobuf(name, message))).toEqual(message);
        const json = toJson(name, message);
        expect(toJson(name, fromJson(name, JSON.parse(JSON.stringify(json))))).toEqual(json);
        expect(fromJson(name, json)).toMatchObject(message);
      }),
      { numRuns: 15 },
    );
  });

  it('never fails on random bytes with anything but a CodecError', () => {
    fc.assert(
      fc.property(fc.constantFrom(...messageNames), fc.uint8Array(), (name, bytes) => {
        try {
          decodeProtobuf(name, bytes);
        } catch (error) {
          expect(error).toMatchObject({ code: 'MESOS_ERR_CODEC' });
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('never fails on random JSON with anything but a CodecError', () => {
    fc.assert(
      fc.property(fc.constantFrom(...messageNames), fc.json(), (name, text) => {
        try {
          decodeMessage(name, 'json', Buffer.from(text));
        } catch (error) {
          expect(error).toMatchObject({ code: 'MESOS_ERR_CODEC' });
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('JSON', () => {
  it('prints explicit defaults of fields that are not set, but not of deprecated ones', () => {
    expect(toJson('CommandInfo', { value: 'true' })).toEqual({ shell: true, value: 'true' });
    expect(toJson('FrameworkInfo', { user: 'u', name: 'n' })).toEqual({
      user: 'u',
      name: 'n',
      failover_timeout: 0,
      checkpoint: false,
    });
  });

  it('ignores unknown fields, null and unknown names of optional enums', () => {
    const json = { offer_ids: null, filters: { refuse_seconds: 1, new: {} }, x: 1 };
    expect(fromJson('scheduler.Call.Decline', json)).toEqual({ filters: { refuse_seconds: 1 } });
    expect(fromJson('FrameworkInfo.Capability', { type: 'FROM_THE_FUTURE' })).toEqual({});
    expect(fromJson('scheduler.Event', { type: 'FROM_THE_FUTURE' })).toEqual({ type: 'UNKNOWN' });
  });

  it('takes a map key of any name', () => {
    const json = JSON.parse('{"role":"r","limits":{"__proto__":{"value":1}}}');
    const config = fromJson('quota.QuotaConfig', json);
    expect(Object.keys(config.limits ?? {})).toEqual(['__proto__']);
    const decoded = decodeProtobuf(
      'quota.QuotaConfig',
      encodeProtobuf('quota.QuotaConfig', config),
    );
    expect(Object.keys(decoded.limits ?? {})).toEqual(['__proto__']);
  });

  it.each([
    [
      { type: 'SUBSCRIBE', subscribe: { framework_info: {} } },
      'Failed to convert JSON into Call protobuf: Missing required fields: ' +
        'subscribe.framework_info.user, subscribe.framework_info.name',
    ],
    [
      { type: 'ACCEPT', accept: { operations: [{}, { launch: { task_infos: [{ name: 'a' }] } }] } },
      'Failed to convert JSON into Call protobuf: Missing required fields: ' +
        'accept.operations[1].launch.task_infos[0].task_id, ' +
        'accept.operations[1].launch.task_infos[0].agent_id',
    ],
    [
      { type: 'KILL', kill: { task_id: { value: 7 } } },
      "Failed to convert JSON into Call protobuf: Not expecting a JSON number for field 'value'",
    ],
    [
      { type: 'KILL', kill: [] },
      "Failed to convert JSON into Call protobuf: Not expecting a JSON array for field 'kill'",
    ],
    ['text', 'Failed to convert JSON into Call protobuf: Expecting a JSON object'],
    [{ type: 'KILL' }, "Failed to validate scheduler::Call: Expecting 'kill' to be present"],
    [
      { type: 'ACCEPT', accept: { operations: [{ type: 'LAUNCH' }] } },
      "Failed to validate Offer::Operation: Expecting 'launch' to be present",
    ],
  ])('%j is refused as Mesos does', (json, message) => {
    expect(() => fromJson('scheduler.Call', json)).toThrow(message);
  });

  it('says where the syntax is wrong', () => {
    const body = Buffer.from('{"type":\n  oops, 1}\n');
    expect(() => decodeMessage('scheduler.Call', 'json', body)).toThrow(
      'Failed to parse body into JSON: syntax error at line 2 near: oops, 1}',
    );
  });

  it('refuses what nests without end', () => {
    let container: object = { value: 'x' };
    for (let level = 0; level < 200; level += 1) container = { value: 'x', parent: container };
    expect(() => fromJson('ContainerID', container)).toThrow('Nested deeper than 100');
  });
});

describe('protobuf', () => {
  it('merges a message that comes in two pieces', () => {
    const first = encodeProtobuf('scheduler.Call', {
      type: 'KILL',
      kill: { task_id: { value: 't' } },
    });
    const second = Buffer.from([0x32, 4, 0x12, 2, 0x0a, 0]); // kill { agent_id { value: "" } }
    expect(decodeProtobuf('scheduler.Call', Buffer.concat([first, second]))).toEqual({
      type: 'KILL',
      kill: { task_id: { value: 't' }, agent_id: { value: '' } },
    });
  });

  it('skips unknown fields and enum values', () => {
    const bytes = Buffer.from([0x08, 99, 0xfa, 0x3f, 1, 0]); // type: 99, field 1023: one byte
    expect(decodeProtobuf('scheduler.Event', bytes)).toEqual({ type: 'UNKNOWN' });
  });

  it('will not write what lacks a required field', () => {
    const message = { type: 'KILL', kill: {} } as never;
    expect(() => encodeMessage('scheduler.Call', 'protobuf', message)).toThrow('task_id');
  });
});
