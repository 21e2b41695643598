import { drillControlPlane, VICTIMS } from '../support/control-plane-drill.ts';

/**
 * kill -9 of the API server, the gateway, PostgreSQL and Redis, and emptying Redis, in the middle of
 * batches of 500 machines, ten seeds each: every batch is complete and exact, the auditor clean.
 */
const seeds = Array.from({ length: 10 }, (_, index) => index + 1);
await drillControlPlane({ machines: 500, victims: VICTIMS, seeds });
