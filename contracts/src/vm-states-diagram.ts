import {
  type StateRule,
  stateDeadlineMs,
  VM_STATE_TABLE,
  VM_STATES,
  type VmState,
} from './vm-states.ts';

/**
 * `docs/vm-states.md` as Markdown: the table of states, and a diagram of the usual ways through it.
 * Pure; a test keeps the document equal to it.
 */
export function vmStatesDocument(): string {
  return [
    '# States of a virtual machine',
    '',
    'Made from the table in `contracts/src/vm-states.ts`. Change it there, then write this page anew:',
    '`FACTORY_WRITE_DOCS=1 npx vitest run contracts`.',
    '',
    'Every state in which somebody is at work has an owner and a deadline: a sweeper moves a machine',
    'on that is past it, so none is ever stuck. Stable states last until the user wishes otherwise or',
    'the world changes.',
    '',
    '## The usual ways',
    '',
    ...diagramLines(),
    '',
    'Left out for legibility: a machine can become `failed`, `deleting` or `deleted` from every state,',
    'and `unreachable` from every state but `deleted`; when its host is heard again, it is in whatever',
    'state its host says.',
    '',
    '## The table',
    '',
    '| State | What goes on | Owner | Deadline | Then | May be followed by |',
    '| --- | --- | --- | --- | --- | --- |',
    ...VM_STATES.map(tableRow),
    '',
  ].join('\n');
}

/** States that can follow nearly every other; drawn, they would hide the rest. */
const EVERYWHERE: ReadonlySet<VmState> = new Set(['failed', 'deleting', 'deleted', 'unreachable']);

/** The states of a machine's making, in order. */
const MAKING: readonly VmState[] = ['pending', 'scheduled', 'launching', 'preparing', 'starting'];

function diagramLines(): readonly string[] {
  const transitions = VM_STATES.filter((from) => !EVERYWHERE.has(from)).flatMap((from) =>
    nextInLine(from).map((to) => `    ${from} --> ${to}`),
  );
  return [
    '```mermaid',
    'stateDiagram-v2',
    '    [*] --> pending',
    ...transitions,
    '    deleting --> deleted',
    '    deleted --> [*]',
    '```',
  ];
}

/** The next states that are drawn: of the making only the next step, though any may go by unseen. */
function nextInLine(from: VmState): readonly VmState[] {
  const drawn = VM_STATE_TABLE[from].next.filter((to) => !EVERYWHERE.has(to));
  const position = MAKING.indexOf(from);
  if (position < 0) return drawn;
  const step = MAKING[position + 1] ?? 'running';
  const isBack = (to: VmState): boolean => MAKING.slice(0, position).includes(to);
  return drawn.filter((to) => to === step || isBack(to));
}

function tableRow(state: VmState): string {
  const rule: StateRule = VM_STATE_TABLE[state];
  const isTransitional = rule.kind === 'transitional';
  const owner = isTransitional ? rule.owner : '';
  const then = isTransitional ? `\`${rule.onDeadline}\`` : '';
  const next = rule.next.map((each) => `\`${each}\``).join(' ');
  const cells = [`\`${state}\``, rule.meaning, owner, deadlineText(state), then, next];
  return `| ${cells.join(' | ')} |`;
}

function deadlineText(state: VmState): string {
  const deadlineMs = stateDeadlineMs(state, 0);
  return deadlineMs === undefined ? '' : `${deadlineMs / 60_000} min`;
}
