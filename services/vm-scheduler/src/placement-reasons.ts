import { resourceWords } from '@factory/contracts';
import { type Amounts, lacking } from './placement-amounts.ts';
import { type Obstacle, ruleWords } from './placement-eligibility.ts';

/** What stands between a VM and one agent: an obstacle, or room that is not there. */
export type Verdict =
  | Obstacle
  | { readonly kind: 'held' | 'probation' }
  | { readonly kind: 'room'; readonly need: Amounts; readonly free: Amounts };

/** Why a VM waits, in words, with counts. `silentAgents`: known ones that offer nothing. */
export function explainWaiting(verdicts: readonly Verdict[], silentAgents: number): string {
  const silent = silentAgents === 0 ? '' : ` ${agents(silentAgents, true)} no offer.`;
  if (verdicts.length === 0) return `No agent offers anything at present.${silent}`;
  const counts = new Map<string, number>();
  for (const words of verdicts.flatMap(wordsOf)) counts.set(words, (counts.get(words) ?? 0) + 1);
  const said = [...counts].map(([words, count]) => `${count} ${words}`).join(', ');
  const which = `${agents(verdicts.length, false)} offers`;
  // An agent that had room a moment ago offers it again in a moment.
  return said === ''
    ? `${which}; waiting for the next ones.${silent}`
    : `${which}: ${said}.${silent}`;
}

function agents(count: number, isMore: boolean): string {
  const more = isMore ? ' more' : '';
  return count === 1 ? `1${more} agent makes` : `${count}${more} agents make`;
}

function wordsOf(verdict: Verdict): readonly string[] {
  switch (verdict.kind) {
    case 'attribute':
      return [`not as required (${ruleWords(verdict.rule)})`];
    case 'drain':
      return ['draining'];
    case 'quarantine':
      return ['in quarantine after failed launches'];
    case 'probation':
      return ['on probation after failed launches'];
    case 'affinity':
      return ['without the rest of its group'];
    case 'anti-affinity':
      return ['with a machine of its group'];
    case 'held':
      return ['held for a machine that waits longer'];
    case 'room':
      return lacking(verdict.need, verdict.free).map((name) => `lack ${resourceWords(name)}`);
  }
}
