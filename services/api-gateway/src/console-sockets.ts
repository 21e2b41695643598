import { CONSOLE_PATHS } from '@factory/contracts';
import { passUpgrade, type UpgradeRequest } from '@factory/runtime';
import { LINK_HEADERS, type ProxyTarget } from './proxy.ts';

/** A user's console: the ticket in the path says who may have it, and the api-server checks it. */
export function passConsole(upgrade: UpgradeRequest, target: ProxyTarget): void {
  passUpgrade(upgrade, {
    url: target.place(`${target.apiServer}${CONSOLE_PATHS.user}${upgrade.id}`),
    headers: { authorization: `Bearer ${target.internalToken}` },
  });
}

/** A cluster's side of a console, with the cluster's own signature. */
export function passLinkConsole(upgrade: UpgradeRequest, target: ProxyTarget): void {
  const given = LINK_HEADERS.flatMap((name) => {
    const value = upgrade.request.headers[name];
    return typeof value === 'string' ? [[name, value] as const] : [];
  });
  const url = target.place(`${target.apiServer}${CONSOLE_PATHS.cluster}${upgrade.id}`);
  passUpgrade(upgrade, { url, headers: Object.fromEntries(given) });
}
