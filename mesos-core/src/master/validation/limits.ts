import { scalarAmount, type TaskInfo } from '../../protocol/index.ts';

/** What is wrong with the limits of a task's resources, in Mesos' words, or `undefined`. */
export function limitsProblem({ limits, resources = [] }: TaskInfo): string | undefined {
  if (limits === undefined) return undefined;
  if (Object.keys(limits).some((name) => name !== 'cpus' && name !== 'mem')) {
    return "Only cpus and mem may be included in a task's resource limits";
  }
  const { cpus, mem } = limits;
  if (cpus !== undefined) {
    const request = scalarAmount(resources, 'cpus');
    if (request === 0) return 'When a CPU limit is specified, a CPU request must also be specified';
    if (!(cpus.value >= request)) {
      return 'The cpu limit must be greater than or equal to the cpu request';
    }
  }
  if (mem !== undefined) {
    const request = scalarAmount(resources, 'mem');
    if (request === 0) {
      return 'When a memory limit is specified, a memory request must also be specified';
    }
    if (!(mem.value >= request)) {
      return 'The memory limit must be greater than or equal to the memory request';
    }
  }
  return undefined;
}
