import {
  type ClusterId,
  type ClusterImage,
  ID_PREFIXES,
  IMAGE_LINK_LIMITS,
  type ImageId,
  type ImagePart,
  type ImagesAnswer,
  type ImagesRequest,
  PROBLEMS,
} from '@factory/contracts';
import { type Clock, type IdGenerator, ProblemError } from '@factory/runtime';
import type { LinkPeer } from '../clusters/store.ts';
import { printable } from '../link/printable.ts';
import type { ApiStore } from '../store/api-store.ts';
import type { ImageCopies } from './copies.ts';
import type { ImageFiles } from './files.ts';
import { urgencyOf, wantedAt } from './placement.ts';
import { heardOf } from './replication.ts';
import { madeVersion, manifestOf } from './version.ts';

/** The api-server's end of what clusters and it say to each other of images. */
export class ImageLink {
  readonly #parts: {
    readonly store: Pick<ApiStore, 'images' | 'clusters' | 'replicas'>;
    readonly files: ImageFiles;
    readonly copies: ImageCopies;
    readonly clock: Clock;
    readonly newId: IdGenerator;
  };

  constructor(parts: {
    readonly store: Pick<ApiStore, 'images' | 'clusters' | 'replicas'>;
    readonly files: ImageFiles;
    readonly copies: ImageCopies;
    readonly clock: Clock;
    readonly newId: IdGenerator;
  }) {
    this.#parts = parts;
  }

  /** Keeps what the cluster has, and says what it should have. @throws ProblemError */
  async exchange(peer: LinkPeer, request: ImagesRequest, nonce: string): Promise<ImagesAnswer> {
    const { store, clock } = this.#parts;
    const nowMs = clock.nowMs();
    const images = request.images.map((each) => ({ ...each, message: printable(each.message) }));
    const { epoch } = request;
    const said = { clusterId: peer.id, epoch, nonce, images, nowMs };
    const result = await store.images.report(said);
    if (result !== 'kept') throw refusal(result);
    await this.#adopt(images, nowMs);
    return this.#wishes(peer.id, nowMs);
  }

  /** What was made of machines and is not known here, by whichever loss, becomes known again. */
  async #adopt(images: readonly ClusterImage[], nowMs: number): Promise<void> {
    const { store, newId } = this.#parts;
    const made = images.flatMap((each) => (each.made === undefined ? [] : [each.made]));
    if (made.length === 0) return;
    const known = await store.images.inStates(['ready', 'deleting']);
    const keys = new Set(known.map(({ folder, version }) => `${folder} ${version}`));
    const unknown = made.filter(({ name, version }) => !keys.has(`${name} ${version}`));
    const records = unknown.flatMap(
      (manifest) => madeVersion(newId(ID_PREFIXES.image) as ImageId, manifest, nowMs) ?? [],
    );
    if (records.length > 0) await store.images.adopt(records);
  }

  async #wishes(clusterId: ClusterId, nowMs: number): Promise<ImagesAnswer> {
    const { store, copies } = this.#parts;
    const [records, stages, replicas, clusters, rate] = await Promise.all([
      store.images.inStates(['ready', 'deleting']),
      store.images.stages(nowMs),
      store.replicas.list(nowMs),
      store.clusters.list(),
      store.replicas.bytesPerSecond(clusterId),
    ]);
    const ready = records.filter(({ state }) => state === 'ready');
    const world = { heard: heardOf(clusters, nowMs), replicas };
    const wanted = ready
      .flatMap((record) => {
        const wantedBy = wantedAt(record, clusterId, world);
        // Of what was made of a machine there may be nothing here to give yet.
        const isHere = record.source.kind !== 'vm' || record.copiedAtMs !== null;
        const manifest = manifestOf(record);
        if (wantedBy === undefined || manifest === undefined || !isHere) return [];
        return [{ id: record.id, manifest, urgency: urgencyOf(wantedBy) }];
      })
      .sort((a, b) => a.urgency - b.urgency)
      .map(({ id, manifest }) => ({ id, manifest }));
    const isWanted = (name: string, version: string): boolean =>
      ready.some((each) => each.folder === name && each.version === version);
    const dropped = records.flatMap(({ state, folder: name, version }) =>
      state === 'deleting' && version !== null && !isWanted(name, version)
        ? [{ name, version }]
        : [],
    );
    const mine = stages.filter((each) => each.clusterId === clusterId);
    return {
      wanted,
      dropped,
      stages: mine.map(({ name, version, hostNames }) => ({ name, version, hostNames })),
      uploads: [...(await copies.uploadsOf(clusterId, ready, replicas))],
      ...(rate === null ? {} : { bytesPerSecond: rate }),
    };
  }

  /** A part of a version's content; empty at its end. @throws ProblemError */
  async content(
    peer: LinkPeer,
    { imageId, offset }: { readonly imageId: ImageId; readonly offset: number },
    nonce: string,
  ): Promise<Uint8Array> {
    const { store, files, clock } = this.#parts;
    if (!(await store.images.isFirstUse(peer.id, nonce, clock.nowMs()))) throw refusal('replayed');
    const record = await store.images.find(imageId);
    const isHere = record?.source.kind !== 'vm' || record.copiedAtMs !== null;
    if (record?.state !== 'ready' || !isHere) {
      throw new ProblemError(PROBLEMS.notFound, `There is no image version ${imageId}.`);
    }
    return files.read(imageId, offset, IMAGE_LINK_LIMITS.partBytesMax);
  }

  /** A part that a cluster sends; gives how much has arrived. @throws ProblemError */
  async part(peer: LinkPeer, part: ImagePart, nonce: string): Promise<number> {
    const { store, copies, clock } = this.#parts;
    if (!(await store.images.isFirstUse(peer.id, nonce, clock.nowMs()))) throw refusal('replayed');
    const { imageId, offset, base64 } = part;
    return copies.take(peer, { imageId, offset, bytes: Buffer.from(base64, 'base64') });
  }
}

function refusal(kind: 'stale' | 'replayed'): ProblemError {
  if (kind === 'stale') {
    const detail = 'A newer session of this cluster has replaced this one; open a new one.';
    return new ProblemError(PROBLEMS.staleEpoch, detail, { field: 'epoch' });
  }
  const detail = 'This signed request was sent before; sign it again with a new nonce.';
  return new ProblemError(PROBLEMS.replayed, detail, { field: 'x-factory-nonce' });
}
