import type { Clock, IdGenerator, Logger, Random, SecretBox } from '@factory/runtime';
import type { FastifyInstance } from 'fastify';
import type { Duty } from '../jobs/work.ts';
import { internalKeyRoutes } from '../keys/internal-routes.ts';
import { keyRoutes } from '../keys/routes.ts';
import { KeyService } from '../keys/service.ts';
import { UseLog } from '../keys/use-log.ts';
import { type PasswordCost, Passwords } from '../sessions/passwords.ts';
import { internalSessionRoutes, sessionRoutes } from '../sessions/routes.ts';
import { type SessionLimits, SessionService } from '../sessions/service.ts';
import type { ApiStore } from '../store/api-store.ts';
import { userRoutes } from '../users/routes.ts';
import { UserService } from '../users/service.ts';
import { tenancyRoutes } from './routes.ts';
import { TenancyService } from './service.ts';

const HOUR_MS = 3_600_000;

/** How people sign in. */
export interface AccessSettings {
  readonly sessions?: SessionLimits;
  /** Browsers send the cookie over TLS only. */
  readonly isCookieSecure?: boolean;
  readonly passwordCost?: PasswordCost;
}

/** Who may use the factory: organisations, projects, keys, users and their sessions. */
export interface AccessPlane {
  readonly duty: Duty;
  readonly tenancy: TenancyService;
  /** What comes through the gateway on somebody's behalf. */
  publicRoutes(app: FastifyInstance): void;
  /** What is asked with the internal token alone. */
  internalRoutes(app: FastifyInstance): void;
  close(): Promise<void>;
}

export function createAccessPlane(
  parts: {
    readonly store: ApiStore;
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
    readonly newId: IdGenerator;
    readonly secrets: SecretBox;
    readonly subnetCidr: string;
  },
  settings: AccessSettings = {},
): AccessPlane {
  const { store, clock, logger } = parts;
  const { isCookieSecure = false } = settings;
  const limits = settings.sessions ?? { idleMs: HOUR_MS, totalMs: 12 * HOUR_MS };
  const tenancy = new TenancyService(parts);
  const keyUses = new UseLog({ clock, logger, write: store.keys.noteUse });
  const sessionUses = new UseLog({ clock, logger, write: store.sessions.noteUse });
  const passwords = new Passwords(parts.random, settings.passwordCost);
  const keys = new KeyService({ ...parts, tenancy });
  const users = new UserService({ ...parts, tenancy, passwords });
  const sessions = new SessionService({ ...parts, passwords, limits, uses: sessionUses });
  return {
    duty: sessions,
    tenancy,
    publicRoutes(app) {
      tenancyRoutes(app, tenancy);
      keyRoutes(app, keys, clock);
      userRoutes(app, users);
      sessionRoutes(app, sessions);
    },
    internalRoutes(app) {
      internalKeyRoutes(app, { ...parts, uses: keyUses });
      internalSessionRoutes(app, sessions, isCookieSecure);
    },
    close: async () => {
      await Promise.all([keyUses.flush(), sessionUses.flush()]);
    },
  };
}
