import { integerSetting } from '@factory/runtime';
import { namesOf } from '../command-line.ts';

/** What is remembered of frameworks and tasks that are over, for operators to look at. */
export interface HistorySettings {
  /** `--max_completed_frameworks`: the newest. */
  readonly completedFrameworksMax: number;
  /** `--max_completed_tasks_per_framework`: the newest of each; they go with the framework. */
  readonly completedTasksPerFrameworkMax: number;
  /** `--max_unreachable_tasks_per_framework`: the newest of each, until their agents are back. */
  readonly unreachableTasksPerFrameworkMax: number;
}

/** Mesos' defaults, but for unreachable tasks (1000): the rest of a partition would be forgotten. */
export const DEFAULT_HISTORY_SETTINGS: HistorySettings = {
  completedFrameworksMax: 50,
  completedTasksPerFrameworkMax: 1000,
  unreachableTasksPerFrameworkMax: 100_000,
};

/** The master's flags about what is over. */
export const HISTORY_FLAGS = {
  completedFrameworksMax: integerSetting({
    ...namesOf('max_completed_frameworks'),
    describe: 'so many frameworks that were removed are still shown, the newest',
    default: DEFAULT_HISTORY_SETTINGS.completedFrameworksMax,
    min: 0,
  }),
  completedTasksPerFrameworkMax: integerSetting({
    ...namesOf('max_completed_tasks_per_framework'),
    describe: 'so many tasks that are over are still shown of each framework, the newest',
    default: DEFAULT_HISTORY_SETTINGS.completedTasksPerFrameworkMax,
    min: 0,
  }),
  unreachableTasksPerFrameworkMax: integerSetting({
    ...namesOf('max_unreachable_tasks_per_framework'),
    describe: 'so many tasks on agents that are unreachable are remembered of each framework',
    default: DEFAULT_HISTORY_SETTINGS.unreachableTasksPerFrameworkMax,
    min: 0,
  }),
};
