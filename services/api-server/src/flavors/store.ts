import type { Flavor } from '@factory/contracts';

/** The sizes of machines that have names. Every method is one transaction. */
export interface FlavorStore {
  /** By name. */
  list(): Promise<readonly Flavor[]>;
  /** False when there is one of the name already. */
  create(flavor: Flavor): Promise<boolean>;
  /** What was made of it stays as it is. False when there is none. */
  remove(name: string): Promise<boolean>;
}
