import type { Logger } from '@factory/runtime';
import type { SimulatedNetwork, VirtualClock } from '@factory/runtime/simulated';
import type { FastifyInstance } from 'fastify';
import { SimulatedProcess } from './process.ts';

/** What every part of one simulation is given. */
export interface World {
  readonly clock: VirtualClock;
  readonly network: SimulatedNetwork;
  readonly logger: Logger;
  readonly seed: number | string;
  /** Hears why a part that was not killed gave up. */
  readonly onFatal: (message: string) => void;
}

/** A part's `main.ts`: makes it from the ports of one life, and has it listen when it is time. */
export type Main<T> = (
  life: SimulatedProcess,
  listen: (app: FastifyInstance) => Promise<void>,
) => Promise<T>;

/** A part of the factory: killed at any moment, and started again on what it has stored. */
export class Part<T> {
  readonly origin: string;
  readonly #world: World;
  readonly #main: Main<T>;
  #life: SimulatedProcess | undefined;
  #service: T | undefined;

  constructor(world: World, origin: string, main: Main<T>) {
    this.#world = world;
    this.origin = origin;
    this.#main = main;
  }

  get isAlive(): boolean {
    return this.#life?.isAlive === true;
  }

  /** What `main` gave; `undefined` while the part is dead or still starting. */
  get service(): T | undefined {
    return this.isAlive ? this.#service : undefined;
  }

  /** A new process; does nothing while one lives. */
  async start(): Promise<void> {
    if (this.isAlive) return;
    const { clock, network } = this.#world;
    const life = new SimulatedProcess(clock, network, this.origin);
    this.#life = life;
    this.#service = undefined;
    const service = await this.#main(life, (app) => network.attach(this.origin, app));
    if (life.isAlive) this.#service = service;
  }

  /** SIGKILL: nothing of what it was about to do happens. Harmless when it is dead. */
  kill(): void {
    this.#life?.kill();
    this.#world.network.detach(this.origin);
  }
}
