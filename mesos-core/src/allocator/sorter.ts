import { type Random, randomInteger } from '@factory/runtime';
import type { Units } from './units.ts';

/** How those who want resources are put in order: `--role_sorter`, `--framework_sorter`. */
export type SorterKind = 'drf' | 'random';

/** What a sorter knows of one of those that it puts in order. */
export interface Contender {
  /** Breaks ties, so that the order is the same every time. */
  readonly key: string;
  readonly weight: number;
  /** Dominant share, divided by the weight. */
  readonly share: number;
  /** When it was last given something: whoever waits longest goes first among equals. */
  readonly lastGiven: number;
}

/** Contenders under one parent, in the order in which they are offered resources. */
export interface Sorter<T extends Contender> {
  add(contender: T): void;
  remove(contender: T): void;
  /** Share, weight or turn of the contender have changed. */
  noteChange(contender: T): void;
  /** Fixes the order for a walk through it. */
  begin(): void;
  /** Who stands there, from 0, in the order of the last {@link begin}; to be asked in order. */
  at(position: number): T | undefined;
}

/** A sorter of the kind. */
export function createSorter<T extends Contender>(kind: SorterKind, random: Random): Sorter<T> {
  return kind === 'drf' ? new DrfSorter<T>() : new RandomSorter<T>(random);
}

/**
 * The largest part that somebody holds of any scalar of the cluster (Ghodsi et al., "Dominant
 * Resource Fairness", NSDI 2011). Pure.
 * @param isExcluded scalars that do not count (`--fair_sharing_excluded_resource_names`).
 */
export function dominantShare(
  held: Units,
  total: Units,
  isExcluded: (index: number) => boolean,
): number {
  let share = 0;
  for (let index = 0; index < held.length; index += 1) {
    const all = total[index] ?? 0;
    if (all <= 0 || isExcluded(index)) continue;
    share = Math.max(share, (held[index] ?? 0) / all);
  }
  return share;
}

/** Where a contender stands in the list: what was true of it when it was put there. */
interface Place<T> {
  readonly contender: T;
  readonly share: number;
  readonly lastGiven: number;
}

/**
 * Smallest share first. Keeps the list sorted: one that changed is taken out and put in where it
 * belongs, by bisection; only after many changes all are sorted anew.
 */
class DrfSorter<T extends Contender> implements Sorter<T> {
  #places: Place<T>[] = [];
  #order: T[] = [];
  readonly #placeOf = new Map<T, Place<T>>();
  readonly #changed = new Set<T>();

  add(contender: T): void {
    this.#insert(contender);
  }

  remove(contender: T): void {
    this.#changed.delete(contender);
    this.#take(contender);
  }

  noteChange(contender: T): void {
    if (this.#placeOf.has(contender)) this.#changed.add(contender);
  }

  begin(): void {
    if (this.#changed.size === 0) return;
    // Bisection moves half the list on average: from here on sorting is cheaper.
    if (this.#changed.size > 16 && this.#changed.size > this.#order.length / 8) this.#sort();
    else for (const contender of this.#changed) this.#move(contender);
    this.#changed.clear();
  }

  at(position: number): T | undefined {
    return this.#order[position];
  }

  #move(contender: T): void {
    this.#take(contender);
    this.#insert(contender);
  }

  #sort(): void {
    this.#places = this.#order.map(placeOf).toSorted(comparePlaces);
    this.#order = this.#places.map(({ contender }) => contender);
    for (const place of this.#places) this.#placeOf.set(place.contender, place);
  }

  #insert(contender: T): void {
    const place = placeOf(contender);
    const index = this.#indexOf(place);
    this.#places.splice(index, 0, place);
    this.#order.splice(index, 0, contender);
    this.#placeOf.set(contender, place);
  }

  #take(contender: T): void {
    const place = this.#placeOf.get(contender);
    if (place === undefined) return;
    const index = this.#indexOf(place);
    this.#places.splice(index, 1);
    this.#order.splice(index, 1);
    this.#placeOf.delete(contender);
  }

  /** Where the place is, or belongs. */
  #indexOf(place: Place<T>): number {
    let [low, high] = [0, this.#places.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#places[middle];
      if (other !== undefined && comparePlaces(other, place) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function placeOf<T extends Contender>(contender: T): Place<T> {
  return { contender, share: contender.share, lastGiven: contender.lastGiven };
}

function comparePlaces<T extends Contender>(a: Place<T>, b: Place<T>): number {
  if (a.share !== b.share) return a.share - b.share;
  if (a.lastGiven !== b.lastGiven) return a.lastGiven - b.lastGiven;
  if (a.contender.key === b.contender.key) return 0;
  return a.contender.key < b.contender.key ? -1 : 1;
}

/** Where weights differ by more than about this, the lightest come a bit too often. */
const TRIES_MAX = 100;

/**
 * A new order every time, in which the first are likelier the more weight they have. It is drawn as
 * far as it is asked for.
 */
class RandomSorter<T extends Contender> implements Sorter<T> {
  readonly #random: Random;
  readonly #order: T[] = [];
  /** Of all that were ever there. */
  #weightMax = 0;
  #drawn = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  add(contender: T): void {
    this.#order.push(contender);
    this.noteChange(contender);
  }

  remove(contender: T): void {
    const index = this.#order.indexOf(contender);
    if (index >= 0) this.#order.splice(index, 1);
  }

  noteChange({ weight }: T): void {
    this.#weightMax = Math.max(this.#weightMax, weight);
  }

  begin(): void {
    this.#drawn = 0;
  }

  at(position: number): T | undefined {
    while (this.#drawn <= position && this.#drawn < this.#order.length) this.#draw();
    return this.#order[position];
  }

  /** One more of those that are left: any, but a light one only as often as its weight says. */
  #draw(): void {
    const order = this.#order;
    const first = order[this.#drawn];
    for (let tries = 1; ; tries += 1) {
      const index = this.#drawn + randomInteger(this.#random, order.length - this.#drawn);
      const picked = order[index];
      if (first === undefined || picked === undefined) return;
      const isLucky = this.#random.next() * this.#weightMax < picked.weight;
      if (!isLucky && tries < TRIES_MAX) continue;
      order[index] = first;
      order[this.#drawn] = picked;
      this.#drawn += 1;
      return;
    }
  }
}
