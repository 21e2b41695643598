import { drillControlPlane, VICTIMS } from '../support/control-plane-drill.ts';

/** Each part of the control plane is killed once while a batch is made: nothing is lost or doubled. */
await drillControlPlane({ machines: 60, victims: VICTIMS, seeds: [1] });
