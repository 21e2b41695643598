import { VM_STATE_TABLE, type Vm, type VmState } from '@factory/contracts';
import { expectThat, timed } from '../support/acceptance.ts';
import { domainsOf, filesLeft, guestProcesses, startRealFactory } from '../support/real-factory.ts';

/**
 * Fifty real guests in one batch on one machine: all `running`, no address or MAC twice, none over
 * the deadline of a state; and nothing left when they are deleted.
 */
const GUESTS = 50;

const factory = await startRealFactory();
try {
  const size = ['--image', 'micro', '--count', String(GUESTS), '--vcpus', '1', '--memory', '96'];
  const create = ['batch', 'create', '--name', 'fifty', ...size, '--timeout', '1200', '--wait'];
  const { seconds } = await timed(() => factory.run(...create));
  const vms = await factory.client.vms({});
  const running = vms.filter(({ state }) => state === 'running');
  console.log(`       all up after ${seconds.toFixed(1)} s`);
  expectThat(`${GUESTS} machines are running`, running.length === GUESTS, `${running.length} are`);
  const processes = await guestProcesses(vms);
  expectThat(`${GUESTS} guests run`, processes.size === GUESTS, `${processes.size} do`);
  expectThat('no address is there twice', isUnique(vms.map(({ ipAddress }) => ipAddress)));
  expectThat('no MAC is there twice', isUnique(vms.map(({ macAddress }) => macAddress)));
  const late = vms.filter((vm) => lateStates(vm).length > 0);
  const names = late.map((vm) => `${vm.name}: ${lateStates(vm).join(', ')}`).join('; ');
  expectThat('none was over the deadline of a state', late.length === 0, names);

  await factory.run('batch', 'delete', 'fifty', '--timeout', '600', '--wait');
  expectThat('virsh lists none of them', (await domainsOf(vms)).length === 0);
  const left = await filesLeft(factory.layout);
  expectThat('the overlay and lease folders are empty', left.length === 0, left.join(', '));
} finally {
  await factory.remove();
}

function isUnique(values: readonly (string | null)[]): boolean {
  return new Set(values).size === values.length && !values.includes(null);
}

/** States that lasted longer than the table lets them, by the stages between which they lie. */
function lateStates({ timeline }: Vm): readonly VmState[] {
  const { accepted, planned, launched, started } = timeline;
  const spans = [
    ['pending', accepted, planned],
    ['launching', planned, launched],
    // With its wait for a turn at being powered on.
    ['preparing', launched, started],
  ] as const;
  return spans.flatMap(([state, from, to]) => {
    const rule = VM_STATE_TABLE[state];
    const limitMs = rule.kind === 'transitional' ? rule.deadlineMs : Number.POSITIVE_INFINITY;
    return from !== undefined && to !== undefined && to - from <= limitMs ? [] : [state];
  });
}
