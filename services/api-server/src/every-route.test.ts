import { type OrganisationId, ROLES, type Role, SCOPES, type Scope } from '@factory/contracts';
import { systemClock } from '@factory/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessTo, isAllowed } from './http/access.ts';
import { type ApiOperation, operationsOf, sampleOf } from './testing/api-document.ts';
import { startFactory, TestCaller, type TestFactory } from './testing/factory.ts';
import { withRunning } from './testing/running.ts';
import { STORE_KINDS } from './testing/stores.ts';

/** Its answer does not end. */
const ENDLESS = ['streamEvents'];
/** It has the ids that one has named oneself. */
const OWN_WORDS = ['listAudit'];
/** Bodies that the document does not say enough of. */
const BODIES: Readonly<Record<string, unknown>> = {
  addBatchSshKey: { key: `ssh-ed25519 ${'A'.repeat(68)}` },
  addVmSshKey: { key: `ssh-ed25519 ${'A'.repeat(68)}` },
  openConsole: { kind: 'serial' },
};

let factory: TestFactory;
let operations: readonly ApiOperation[];
/** Another tenant's admin, of the whole organisation. */
let stranger: TestCaller;
/** What the first tenant has, by the part of the path before its id. */
let things: Readonly<Record<string, string>>;

beforeAll(async () => {
  const databases = await STORE_KINDS[0]?.open();
  const database = await databases?.create();
  if (database === undefined) throw new Error('there is no store');
  factory = await startFactory(database);
  operations = await operationsOf(factory.api.app);
  const { caller } = factory;
  const { batch, first } = await withRunning(factory, systemClock, 1);
  const make = async (url: string, body: object): Promise<string> =>
    (await caller.ok('POST', url, body)).id;
  const studio = (await make('/v1/organisations', { name: 'studio' })) as OrganisationId;
  const [room] = (await caller.ok('GET', `/v1/projects?organisationId=${studio}`)).items;
  stranger = new TestCaller(factory.api.app, room.id, 'admin', false, { organisationId: studio });
  const { organisationId } = await caller.ok('GET', `/v1/projects/${caller.projectId}`);
  const user = { email: 'ada@example.org', name: 'Ada', memberships: [] };
  things = {
    batches: batch.id,
    vms: first.vmId,
    orphans: first.vmId,
    operations: await make(`/v1/vms/${first.vmId}:snapshot`, { name: 'before' }),
    volumes: await make('/v1/volumes', { name: 'scratch', kind: 'directory', sizeGiB: 1 }),
    subnets: await make('/v1/subnets', { name: 'render', cidr: '10.20.0.0/16' }),
    images: await make('/v1/images', { name: 'gold' }),
    'images/name': 'gold',
    'api-keys': await make('/v1/api-keys', { name: 'robot', role: 'member' }),
    users: await make('/v1/users', user),
    organisations: organisationId,
    projects: caller.projectId,
    'quota/organisations': organisationId,
    'quota/projects': caller.projectId,
    'fair-shares': caller.projectId,
  };
}, 60_000);
afterAll(() => factory.close());

/** What an operation's parameter names. */
function thingOf({ path }: ApiOperation): string | undefined {
  const [, before = '', parameter] = /^\/v1\/(.*?)\/\{(\w+)\}/.exec(path) ?? [];
  return things[`${before}/${parameter}`] ?? things[before];
}

/** The same form, of nothing that there is. */
function absent(thing: string): string {
  return thing.includes('_') ? thing.replace(/[0-9a-f]{32}$/, '0'.repeat(32)) : 'nothing';
}

function call(caller: TestCaller, operation: ApiOperation, id: string) {
  const { operationId, method, path, body } = operation;
  const others = path.replace(/\{\w+\}/, id).replaceAll(/\{\w+\}/g, 'x');
  const payload = BODIES[operationId] ?? (body === undefined ? undefined : sampleOf(body));
  return caller.call(method as 'GET', `${others}`, payload);
}

/** An answer without what differs from call to call. */
function words(answer: { statusCode: number; body: string }, id: string): string {
  const text = answer.body.replaceAll(id, '<id>').replace(/"requestId":"\w+"/, '');
  return `${answer.statusCode} ${text}`;
}

describe('every route', () => {
  const callers = ROLES.flatMap((role) =>
    SCOPES.flatMap((scope) => [true, false].map((isPlatform) => ({ role, scope, isPlatform }))),
  );

  it.each(callers)(
    'lets a $role of the $scope (platform: $isPlatform) do what it may',
    async (who) => {
      const caller = callerOf(who);
      const { principal } = caller;
      for (const operation of operations) {
        const access = accessTo(operation.operationId);
        if (access === undefined) continue;
        const isOpen = isAllowed(principal, access);
        if (isOpen && ENDLESS.includes(operation.operationId)) continue;
        const answer = await call(caller, operation, absent(thingOf(operation) ?? 'nothing'));
        const isRefused = answer.body.includes(`The role ${who.role} may not`);
        expect(isRefused, `${operation.operationId}: ${answer.body}`).toBe(!isOpen);
        if (isRefused) expect(answer.statusCode).toBe(403);
        expect(answer.statusCode, `${operation.operationId}: ${answer.body}`).toBeLessThan(500);
      }
    },
  );

  it('is for the roles that it is meant for', () => {
    const may = (role: Role, scope: Scope, isPlatform: boolean) =>
      operations.filter(({ operationId }) => {
        const access = accessTo(operationId);
        const { principal } = callerOf({ role, scope, isPlatform });
        return access !== undefined && isAllowed(principal, access);
      });
    const own = ['changeMyPassword', 'getMe', 'signOut'];
    // A plan is a dry run: it changes nothing.
    const changes = may('viewer', 'organisation', true)
      .filter(({ operationId }) => operationId !== 'planBatch')
      .filter(({ method }) => method !== 'GET');
    expect(changes.map(({ operationId }) => operationId).sort()).toEqual(
      own.filter((each) => each !== 'getMe'),
    );
    const partner = may('partner', 'organisation', true).map(({ operationId }) => operationId);
    expect(partner.filter((each) => !each.includes('Cluster') && !own.includes(each))).toEqual([]);
    for (const { operationId } of may('admin', 'project', true)) {
      expect(operationId).not.toMatch(
        /^(create|change|close|set)(Organisation|Project)|User|Policy|HostGone/,
      );
    }
    for (const { operationId } of may('admin', 'organisation', false)) {
      expect(operationId).not.toMatch(/createOrganisation|HostGone|Policy|auditInvariants/);
    }
  });

  it('does not show another tenant whether a thing is there', async () => {
    const tried: string[] = [];
    for (const operation of operations) {
      const thing = thingOf(operation);
      if (thing === undefined) continue;
      const foreign = await call(stranger, operation, thing);
      const nothing = await call(stranger, operation, absent(thing));
      const { operationId } = operation;
      expect(words(foreign, thing), operationId).toBe(words(nothing, absent(thing)));
      expect(foreign.statusCode, `${operationId}: ${foreign.body}`).toBeGreaterThanOrEqual(400);
      if (foreign.statusCode === 404) tried.push(operationId);
    }
    // Whatever else they are refused for, most are known to come to where the thing is looked for.
    expect(tried.length).toBeGreaterThan(60);
    // And nothing came of it.
    const { caller } = factory;
    const { state, desiredState } = await caller.ok('GET', `/v1/vms/${things.vms}`);
    expect({ state, desiredState }).toEqual({ state: 'running', desiredState: 'running' });
    expect(await caller.ok('GET', `/v1/batches/${things.batches}`)).toMatchObject({ name: 'web' });
    for (const kind of ['volumes', 'subnets', 'users', 'api-keys', 'projects']) {
      await caller.ok('GET', `/v1/${kind}/${things[kind]}`);
    }
  });

  it('lists nothing of another tenant', async () => {
    const known = Object.values(things).filter((thing) => thing.includes('_'));
    const lists = operations.filter(
      ({ method, path, operationId }) =>
        method === 'GET' &&
        !path.includes('{') &&
        ![...ENDLESS, ...OWN_WORDS].includes(operationId),
    );
    expect(lists.length).toBeGreaterThan(10);
    for (const { path } of lists) {
      const answer = await stranger.call('GET', path);
      for (const thing of known) expect(answer.body, path).not.toContain(thing);
    }
  });
});

function callerOf({ role, scope, isPlatform }: { role: Role; scope: Scope; isPlatform: boolean }) {
  const { app } = factory.api;
  const projectId = isPlatform ? factory.caller.projectId : stranger.projectId;
  const { organisationId } = (isPlatform ? factory.caller : stranger).principal;
  return new TestCaller(app, projectId, role, isPlatform, { organisationId, scope });
}
