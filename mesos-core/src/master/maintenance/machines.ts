import { isIPv4 } from 'node:net';
import type {
  MachineID,
  MachineInfoMode,
  MaintenanceSchedule,
  Unavailability,
} from '../../protocol/index.ts';
import type { RegisteredMaintenance } from '../registry.ts';

/** What operators do to a machine. */
type Step = 'schedule' | 'unschedule' | 'start' | 'stop';

/** Where a step leads, or why it can't be taken (Mesos' words, after the machine's name). */
type Outcome = { readonly mode: MachineInfoMode } | { readonly refusal: string };

const NOT_SCHEDULED: Outcome = { refusal: 'is not part of a maintenance schedule' };
const NOT_DRAINING: Outcome = { refusal: 'is not in DRAINING mode and cannot be brought down' };
const NOT_DOWN: Outcome = { refusal: 'is not in DOWN mode and cannot be brought up' };
const STILL_DOWN: Outcome = {
  refusal: 'is deactivated and cannot be removed from the schedule',
};

/** The life of a machine: every step in every mode. */
const STEPS: Readonly<Record<MachineInfoMode, Readonly<Record<Step, Outcome>>>> = {
  UP: {
    ...{ schedule: { mode: 'DRAINING' }, unschedule: { mode: 'UP' } },
    ...{ start: NOT_SCHEDULED, stop: NOT_SCHEDULED },
  },
  DRAINING: {
    ...{ schedule: { mode: 'DRAINING' }, unschedule: { mode: 'UP' } },
    ...{ start: { mode: 'DOWN' }, stop: NOT_DOWN },
  },
  DOWN: {
    ...{ schedule: { mode: 'DOWN' }, unschedule: STILL_DOWN },
    ...{ start: NOT_DRAINING, stop: { mode: 'UP' } },
  },
};

const NOTHING_PLANNED: RegisteredMaintenance = { windows: [], down: [] };

/** Machines are the same when both names are; the case of a host name does not matter. */
export function machineKey({ hostname = '', ip = '' }: MachineID): string {
  return `${hostname.toLowerCase()} ${ip}`;
}

/** When each machine that is scheduled will not be there, by {@link machineKey}. Pure. */
export function unavailabilities({
  windows,
}: RegisteredMaintenance = NOTHING_PLANNED): ReadonlyMap<string, Unavailability> {
  return new Map(
    windows.flatMap(({ machine_ids = [], unavailability }) =>
      machine_ids.map((id) => [machineKey(id), unavailability] as const),
    ),
  );
}

/** Whether agents of the machine may not register. Pure. */
export function isMachineDown(
  { down }: RegisteredMaintenance = NOTHING_PLANNED,
  machine: MachineID,
): boolean {
  if (down.length === 0) return false;
  const key = machineKey(machine);
  return down.some((each) => machineKey(each) === key);
}

/** A changed plan, or what is wrong, in Mesos' words. */
export type Change =
  | { readonly plan: RegisteredMaintenance; readonly problem?: undefined }
  | { readonly problem: string };

/** Replaces the schedule; machines that are down stay so, and in it. Pure. */
export function withSchedule(
  plan: RegisteredMaintenance = NOTHING_PLANNED,
  { windows = [] }: MaintenanceSchedule,
): Change {
  const listed = new Map<string, MachineID>();
  for (const { machine_ids = [], unavailability } of windows) {
    if (machine_ids.length === 0) {
      return { problem: 'List of machines in the maintenance window is empty' };
    }
    if ((unavailability.duration?.nanoseconds ?? 0) < 0) {
      return { problem: "Unavailability 'duration' is negative" };
    }
    const problem = machinesProblem(machine_ids, listed);
    if (problem !== undefined) return { problem };
  }
  const dropped = scheduledIn(plan).filter((id) => !listed.has(machineKey(id)));
  const problem = stepProblem(plan, dropped, 'unschedule');
  return problem === undefined ? { plan: { ...plan, windows } } : { problem };
}

/** Takes machines down. Pure. */
export function withStarted(
  plan: RegisteredMaintenance = NOTHING_PLANNED,
  machines: readonly MachineID[] = [],
): Change {
  const problem = listProblem(machines) ?? stepProblem(plan, machines, 'start');
  return problem === undefined
    ? { plan: { ...plan, down: [...plan.down, ...machines] } }
    : { problem };
}

/** Brings machines up, which takes them out of the schedule. Pure. */
export function withStopped(
  plan: RegisteredMaintenance = NOTHING_PLANNED,
  machines: readonly MachineID[] = [],
): Change {
  const problem = listProblem(machines) ?? stepProblem(plan, machines, 'stop');
  if (problem !== undefined) return { problem };
  const keys = new Set(machines.map(machineKey));
  const others = (ids: readonly MachineID[] = []) => ids.filter((id) => !keys.has(machineKey(id)));
  const windows = plan.windows
    .map((window) => ({ ...window, machine_ids: others(window.machine_ids) }))
    .filter(({ machine_ids }) => machine_ids.length > 0);
  return { plan: { windows, down: others(plan.down) } };
}

/** Machines that frameworks are asked to leave. Pure. */
export function drainingMachines(
  plan: RegisteredMaintenance = NOTHING_PLANNED,
): readonly MachineID[] {
  return scheduledIn(plan).filter((id) => modeOf(plan, id) === 'DRAINING');
}

function scheduledIn({ windows }: RegisteredMaintenance): readonly MachineID[] {
  return windows.flatMap(({ machine_ids }) => machine_ids ?? []);
}

function modeOf(plan: RegisteredMaintenance, machine: MachineID): MachineInfoMode {
  if (isMachineDown(plan, machine)) return 'DOWN';
  const key = machineKey(machine);
  return scheduledIn(plan).some((id) => machineKey(id) === key) ? 'DRAINING' : 'UP';
}

function stepProblem(
  plan: RegisteredMaintenance,
  machines: readonly MachineID[],
  step: Step,
): string | undefined {
  for (const machine of machines) {
    const outcome = STEPS[modeOf(plan, machine)][step];
    if ('refusal' in outcome) return `Machine '${describe(machine)}' ${outcome.refusal}`;
  }
  return undefined;
}

function listProblem(machines: readonly MachineID[]): string | undefined {
  return machines.length === 0 ? 'List of machines is empty' : machinesProblem(machines, new Map());
}

/** @param seen machines that are listed already; the others are added. */
function machinesProblem(
  machines: readonly MachineID[],
  seen: Map<string, MachineID>,
): string | undefined {
  for (const machine of machines) {
    const { hostname = '', ip = '' } = machine;
    if (hostname === '' && ip === '') {
      return "Both 'hostname' and 'ip' for a machine are empty";
    }
    if (ip !== '' && !isIPv4(ip)) return `Failed to parse the IP '${ip}'`;
    const key = machineKey(machine);
    if (seen.has(key)) {
      return `Machine '${describe(machine)}' appears more than once in the schedule`;
    }
    seen.set(key, machine);
  }
  return undefined;
}

function describe({ hostname, ip }: MachineID): string {
  return JSON.stringify({ hostname, ip });
}
