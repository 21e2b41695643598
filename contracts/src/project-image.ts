import { createHash } from 'node:crypto';
import { Type } from 'typebox';
import { NAME_PATTERN } from './vm.ts';

/** What a project may call an image: its folder's name is longer, and a DNS label. */
export const ProjectImageNameSchema = Type.String({ pattern: NAME_PATTERN, maxLength: 46 });

const FOLDER = /^img-[0-9a-f]{12}-(.+)$/;

/**
 * What a project's image is called on shared storage, in specs and in caches: no other project can
 * come upon it by its name, and people can read it. The cluster's own images go by their plain names.
 */
export function projectImageFolder(projectId: string, name: string): string {
  const project = createHash('sha256').update(projectId).digest('hex').slice(0, 12);
  return `img-${project}-${name}`;
}

/** Whether this is a project's image; the others are the cluster's own, and for everybody. */
export function isProjectImageFolder(folder: string): boolean {
  return FOLDER.test(folder);
}

/** What people call the image in this folder. */
export function imageNameOf(folder: string): string {
  return FOLDER.exec(folder)?.[1] ?? folder;
}
