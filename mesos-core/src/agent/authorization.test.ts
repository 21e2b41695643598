import { describe, expect, it } from 'vitest';
import type { AgentApiCall } from '../protocol/index.ts';
import { parseAcls } from '../security/acls.ts';
import { createAuthorizer } from '../security/authorizer.ts';
import { openAgent } from '../security/index.ts';
import { checkAgentCall } from './authorization.ts';
import { emptyState } from './state.ts';

const security = (acls: object) => ({
  ...openAgent,
  authorizer: createAuthorizer(parseAcls(JSON.stringify(acls))),
});
const caller = (value: string) => ({ value, claims: {} });
const ANY = { type: 'ANY' };
const NONE = { type: 'NONE' };

/** Only `ops` may do it, with any container. */
const onlyOps = (...names: readonly string[]) =>
  Object.fromEntries(
    names.map((name) => [
      name,
      [
        { principals: { values: ['ops'] }, users: ANY },
        { principals: NONE, users: ANY },
      ],
    ]),
  );

describe('calls to an agent', () => {
  const container_id = { value: 'nested', parent: { value: 'root' } };
  const calls: readonly (readonly [string, AgentApiCall])[] = [
    [
      'attach_containers_input',
      { type: 'ATTACH_CONTAINER_INPUT', attach_container_input: { container_id } },
    ],
    [
      'attach_containers_output',
      { type: 'ATTACH_CONTAINER_OUTPUT', attach_container_output: { container_id } },
    ],
    [
      'launch_nested_containers_under_parent_with_user',
      { type: 'LAUNCH_NESTED_CONTAINER', launch_nested_container: { container_id } },
    ],
    [
      'launch_nested_container_sessions_under_parent_with_user',
      {
        type: 'LAUNCH_NESTED_CONTAINER_SESSION',
        launch_nested_container_session: { container_id },
      },
    ],
    [
      'kill_nested_containers',
      { type: 'KILL_NESTED_CONTAINER', kill_nested_container: { container_id } },
    ],
  ];

  it.each(calls)('need %s', (action, call) => {
    const context = { security: security(onlyOps(action)), state: emptyState() };
    expect(() => checkAgentCall(context, call, caller('ops'))).not.toThrow();
    expect(() => checkAgentCall(context, call, caller('bob'))).toThrow('403 Forbidden.');
    expect(() => checkAgentCall(context, call, undefined)).toThrow('403 Forbidden.');
  });

  it('that launch need the user of the command, too', () => {
    const acls = { launch_nested_containers_as_user: [{ principals: ANY, users: NONE }] };
    const context = { security: security(acls), state: emptyState() };
    const launch = (user?: string): AgentApiCall => ({
      type: 'LAUNCH_NESTED_CONTAINER',
      launch_nested_container: {
        container_id,
        ...(user === undefined ? {} : { command: { user } }),
      },
    });
    expect(() => checkAgentCall(context, launch('root'), caller('bob'))).toThrow('403 Forbidden.');
    expect(() => checkAgentCall(context, launch(), caller('bob'))).not.toThrow();
  });

  it('of either name need the same: what is nested is not standalone', () => {
    const context = { security: security(onlyOps('kill_nested_containers')), state: emptyState() };
    const call: AgentApiCall = { type: 'KILL_CONTAINER', kill_container: { container_id } };
    expect(() => checkAgentCall(context, call, caller('bob'))).toThrow('403 Forbidden.');
    expect(() => checkAgentCall(context, call, caller('ops'))).not.toThrow();
  });

  it('of an executor, by its token, are about its own container and what is nested there', () => {
    const context = { security: security({ permissive: false }), state: emptyState() };
    const kill = (root: string): AgentApiCall => ({
      type: 'KILL_NESTED_CONTAINER',
      kill_nested_container: { container_id: { value: 'n', parent: { value: root } } },
    });
    const executor = { value: undefined, claims: { fid: 'f', eid: 'e', cid: 'root' } };
    expect(() => checkAgentCall(context, kill('root'), executor)).not.toThrow();
    const open = { security: security({}), state: emptyState() };
    expect(() => checkAgentCall(open, kill('other'), executor)).toThrow('403 Forbidden.');
  });

  it('that only look at health need nothing', () => {
    const context = { security: security({ permissive: false }), state: emptyState() };
    expect(() => checkAgentCall(context, { type: 'GET_HEALTH' }, undefined)).not.toThrow();
  });
});
