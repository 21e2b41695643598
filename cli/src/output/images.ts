import { stringify } from 'yaml';
import type { Image, ImageSummary, ImageVersion } from '../client/image-client.ts';
import { type Column, formatList, type OutputFormat } from './format.ts';

const SUMMARY_COLUMNS: readonly Column<ImageSummary>[] = [
  { head: 'NAME', cell: ({ name }) => name },
  { head: 'OF', cell: ({ origin }) => origin },
  { head: 'NEWEST', cell: ({ version }) => version?.slice(0, 12) ?? '-' },
  {
    head: 'VERSIONS',
    cell: ({ origin, versions }) => (origin === 'cluster' ? '-' : `${versions}`),
  },
  { head: 'CLUSTERS', cell: ({ clusters }) => clusters.join(', ') },
];

const VERSION_COLUMNS: readonly Column<ImageVersion>[] = [
  { head: 'VERSION', cell: ({ version }) => version?.slice(0, 12) ?? '-' },
  { head: 'STATE', cell: ({ state }) => state },
  { head: 'SIZE', cell: ({ sizeBytes }) => `${Math.ceil(sizeBytes / 1024 ** 2)} MiB` },
  { head: 'WHERE', cell: ({ clusters }) => clusters.map(describePlace).join(', ') },
  { head: 'MESSAGE', cell: ({ message }) => message ?? '' },
  { head: 'CREATED', cell: ({ createdAt }) => createdAt, wide: true },
  { head: 'ID', cell: ({ id }) => id },
];

type Place = Image['places'][number];

const PLACE_COLUMNS: readonly Column<Place>[] = [
  { head: 'VERSION', cell: ({ version }) => version.slice(0, 12) },
  { head: 'WHERE', cell: describePlace },
];

/** Images in the wished format. */
export function formatImages(images: readonly ImageSummary[], format: OutputFormat): string {
  const none = 'No images. Import one: ./factory image import <file>';
  return formatList(images, SUMMARY_COLUMNS, format, none);
}

/** An image with its versions: a table, or all of it. */
export function formatImage(image: Image, format: OutputFormat): string {
  if (format === 'json') return JSON.stringify(image, null, 2);
  if (format === 'yaml') return stringify(image).trimEnd();
  if (format === 'name') return image.name;
  if (image.versions.length > 0) {
    const versions = image.versions.map((each) => ({ ...each, name: each.id }));
    return formatList(versions, VERSION_COLUMNS, format, '');
  }
  const places = image.places.map((each) => ({ ...each, name: each.version }));
  return formatList(places, PLACE_COLUMNS, format, `No cluster has ${image.name} yet.`);
}

/** `idc-1 ready (2 hosts warm)`. */
function describePlace({
  cluster,
  state,
  percent,
  message,
  hosts,
}: Omit<Place, 'version'>): string {
  const warm = hosts.filter((host) => host.percent === 100).length;
  const pulling = hosts.length - warm;
  const on = [
    ...(warm > 0 ? [`${warm} ${warm === 1 ? 'host' : 'hosts'} warm`] : []),
    ...(pulling > 0 ? [`${pulling} pulling`] : []),
  ];
  const detail =
    state === 'failed' ? [message ?? ''] : state === 'importing' ? [`${percent} %`] : on;
  return `${cluster} ${state}${detail.length === 0 ? '' : ` (${detail.join(', ')})`}`;
}
