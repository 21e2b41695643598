import type { AgentBook } from './agent-book.ts';
import type { Books } from './books.ts';
import type { Client, RoleNode } from './role-tree.ts';
import { addUnits, type Units } from './units.ts';

/** Where the running accounts differ from what the agents' books add up to; empty when all is well. */
export function auditBooks({ tree, agents, available }: Books): readonly string[] {
  const all = [...agents.values()];
  const total = sum(all.map(({ totalUnits }) => totalUnits));
  const free = sum(all.map((agent) => agent.headroomNow()));
  return [
    ...difference('the size of the cluster', tree.total, total),
    ...difference('what is free and unreserved', available, free),
    ...auditRole(tree.root, all),
  ];
}

function auditRole(role: RoleNode, agents: readonly AgentBook[]): readonly string[] {
  const children = [...role.children.values()];
  const clients = [...role.clients];
  const own = holdingsOf(clients, agents);
  const held = sum([own.units, ...children.map((child) => child.held)]);
  const ownReserved = agents.flatMap(({ reservations }) => {
    const units = reservations.get(role.path);
    return units === undefined ? [] : [units];
  });
  const consumed = sum([own.open, ...ownReserved, ...children.map((child) => child.consumed)]);
  const required = sum(children.map((child) => child.required));
  const name = role.path === '' ? 'all roles' : `role ${role.path}`;
  return [
    ...difference(`what ${name} holds`, role.held, held),
    ...difference(`what ${name} consumes`, role.consumed, consumed),
    ...difference(`the headroom of children of ${name}`, role.requiredByChildren, required),
    ...clients.flatMap((client) => {
      const { units } = holdingsOf([client], agents);
      return difference(`what ${client.frameworkId} holds as ${name}`, client.held, units);
    }),
    ...children.flatMap((child) => auditRole(child, agents)),
  ];
}

function holdingsOf(clients: readonly Client[], agents: readonly AgentBook[]) {
  const holdings = agents.flatMap((agent) =>
    clients.flatMap((client) => agent.holdings.get(client) ?? []),
  );
  return {
    units: sum(holdings.map(({ units }) => units)),
    open: sum(holdings.map(({ open }) => open)),
  };
}

function difference(what: string, kept: Units, counted: Units): readonly string[] {
  const length = Math.max(kept.length, counted.length);
  const isSame = Array.from({ length }, (_, index) => index).every(
    (index) => (kept[index] ?? 0) === (counted[index] ?? 0),
  );
  return isSame ? [] : [`the running account of ${what} is wrong: ${kept} for ${counted}`];
}

function sum(all: readonly Units[]): number[] {
  const units: number[] = [];
  for (const each of all) addUnits(units, each, 1);
  return units;
}
