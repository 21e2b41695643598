/**
 * Each endpoint of the master is there twice: libmesos, and tools, know it under the name of its
 * process (src/scheduler/scheduler.cpp of Mesos posts to `/master/api/v1/scheduler`).
 */
export const PREFIXES = ['', '/master'] as const;
