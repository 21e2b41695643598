export type { Candidacy, Contender, Detector, Leader } from './election.ts';
export {
  leadingOrigin,
  pauseForNextAttempt,
  untilSomebodyLeads,
  whenAnotherLeads,
} from './follow.ts';
export { hostAndPort } from './master-nodes.ts';
export { type Masters, openMasters } from './masters.ts';
export { MemoryElection } from './memory-election.ts';
export { openZooKeeperElection, type ZooKeeperElection } from './open.ts';
