/**
 * Each endpoint of the agent is there twice: libmesos' executors, and tools, know it under the name
 * of its process, as it stands in `MESOS_SLAVE_PID`.
 */
export const PREFIXES = ['', '/slave(1)'] as const;
