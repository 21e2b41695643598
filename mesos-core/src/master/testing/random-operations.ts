import { type Random, randomInteger } from '@factory/runtime';
import {
  isDynamicallyReserved,
  isPersistentVolume,
  type Offer,
  type OfferOperation,
  type Resource,
  type Resources,
  scalarAmount,
  unallocateResources,
} from '../../protocol/index.ts';

const PIECE_MEGABYTES = 10;

/**
 * Reserves some of the offered disk, makes volumes of it, and gives what is reserved back, now and
 * then. Operations are to follow each other in one ACCEPT.
 * @param newId gives an id that was not given before.
 */
export function randomOperations(
  offer: Offer,
  dice: Random,
  newId: () => string,
): readonly OfferOperation[] {
  const resources = unallocateResources(offer.resources ?? []);
  const returned = resources
    .filter((resource) => isDynamicallyReserved(resource) && randomInteger(dice, 3) === 0)
    .flatMap((resource) => giveBack(resource, newId));
  const open = resources.filter(({ reservations = [] }) => reservations.length === 0);
  const hasDisk = scalarAmount(open, 'disk') >= PIECE_MEGABYTES;
  if (!hasDisk || randomInteger(dice, 2) === 0) return returned;
  const role = offer.allocation_info?.role ?? '*';
  const piece: Resource = {
    name: 'disk',
    type: 'SCALAR',
    scalar: { value: PIECE_MEGABYTES },
    reservations: [{ type: 'DYNAMIC', role }],
  };
  const reserve = named(newId, { type: 'RESERVE', reserve: { resources: [piece] } });
  if (randomInteger(dice, 2) === 0) return [...returned, reserve];
  const id = newId();
  const volume = { container_path: `data-${id}`, mode: 'RW' as const };
  const volumes: Resources = [{ ...piece, disk: { persistence: { id }, volume } }];
  return [...returned, reserve, named(newId, { type: 'CREATE', create: { volumes } })];
}

function giveBack(resource: Resource, newId: () => string): readonly OfferOperation[] {
  return isPersistentVolume(resource)
    ? [named(newId, { type: 'DESTROY', destroy: { volumes: [resource] } })]
    : [named(newId, { type: 'UNRESERVE', unreserve: { resources: [resource] } })];
}

function named(newId: () => string, operation: OfferOperation): OfferOperation {
  return { ...operation, id: { value: newId() } };
}
