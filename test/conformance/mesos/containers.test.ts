import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ContainerID } from '../../../mesos-core/src/protocol/index.ts';
import { callAgent, getFromAgent, orderAgent } from './support/agent.ts';
import { containersOf, launchParent, type Parent } from './support/containers.ts';
import type { Operator } from './support/operator.ts';
import { proveCoverage } from './support/prove-coverage.ts';
import { openTarget, type Target } from './support/target.ts';
import { uniqueId } from './support/tasks.ts';
import { ENCODINGS } from './support/wire.ts';

const [SIGTERM, SIGKILL] = [15, 9];
/** As `wait` gives it: the code is in the second byte. */
const EXITED_WITH_3 = 3 << 8;

let target: Target;
beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target.stop());

describe.each(ENCODINGS)('containers of an agent in %s', (encoding) => {
  let operator: Operator;
  beforeEach(() => {
    operator = { target, encoding };
  });

  describe('nested in that of an executor', () => {
    let parent: Parent;
    beforeEach(async () => {
      parent = await launchParent(operator);
    });
    afterEach(() => parent.framework.teardown());

    const nested = (): ContainerID => ({ value: uniqueId('nested'), parent: parent.id });

    it('LAUNCH_NESTED_CONTAINER runs a command whose end WAIT_NESTED_CONTAINER tells, until REMOVE_NESTED_CONTAINER', async () => {
      const container_id = nested();
      const launch_nested_container = { container_id, command: { value: 'exit 3' } };
      await orderAgent(operator, { type: 'LAUNCH_NESTED_CONTAINER', launch_nested_container });
      const waited = { container_id };
      const wait = { type: 'WAIT_NESTED_CONTAINER', wait_nested_container: waited } as const;
      const { wait_nested_container } = await getFromAgent(operator, wait);
      expect(wait_nested_container.exit_status).toBe(EXITED_WITH_3);
      const remove_nested_container = { container_id };
      await orderAgent(operator, { type: 'REMOVE_NESTED_CONTAINER', remove_nested_container });
      expect((await callAgent(operator, wait)).status).toBe(404);
    });

    it('KILL_NESTED_CONTAINER sends it a signal; until then GET_CONTAINERS shows it', async () => {
      const container_id = nested();
      const launch_nested_container = { container_id, command: { value: 'exec sleep 1000' } };
      const launch = { type: 'LAUNCH_NESTED_CONTAINER', launch_nested_container } as const;
      await orderAgent(operator, launch);
      // It is there already.
      expect((await callAgent(operator, launch)).status).toBe(202);
      const shown = (await containersOf(operator)).map((each) => each.container_id);
      expect(shown).toContainEqual(container_id);
      const kill_nested_container = { container_id, signal: SIGTERM };
      await orderAgent(operator, { type: 'KILL_NESTED_CONTAINER', kill_nested_container });
      const { wait_nested_container } = await getFromAgent(operator, {
        ...{ type: 'WAIT_NESTED_CONTAINER', wait_nested_container: { container_id } },
      });
      expect(wait_nested_container.exit_status).toBe(SIGTERM);
    });

    it('calls about one that is not there are 404', async () => {
      const container_id = nested();
      for (const call of [
        { type: 'WAIT_NESTED_CONTAINER', wait_nested_container: { container_id } },
        { type: 'KILL_NESTED_CONTAINER', kill_nested_container: { container_id } },
      ] as const) {
        expect((await callAgent(operator, call)).status).toBe(404);
      }
    });
  });

  it('LAUNCH_CONTAINER runs a command of nobody until KILL_CONTAINER; WAIT_CONTAINER tells its end, REMOVE_CONTAINER forgets it', async () => {
    const container_id = { value: uniqueId('standalone') };
    const launch_container = { container_id, command: { value: 'exec sleep 1000' } };
    await orderAgent(operator, { type: 'LAUNCH_CONTAINER', launch_container });
    const shown = (await containersOf(operator)).map((each) => each.container_id);
    expect(shown).toContainEqual(container_id);
    await orderAgent(operator, { type: 'KILL_CONTAINER', kill_container: { container_id } });
    const wait = { type: 'WAIT_CONTAINER', wait_container: { container_id } } as const;
    const { wait_container } = await getFromAgent(operator, wait);
    expect(wait_container.exit_status).toBe(SIGKILL);
    await orderAgent(operator, { type: 'REMOVE_CONTAINER', remove_container: { container_id } });
    expect((await callAgent(operator, wait)).status).toBe(404);
  });

  it('PRUNE_IMAGES removes images that nothing uses', async () => {
    const excluded_images = [{ type: 'DOCKER', docker: { name: 'kept' } }] as const;
    await orderAgent(operator, { type: 'PRUNE_IMAGES', prune_images: { excluded_images } });
  });
});

proveCoverage(import.meta.url);
