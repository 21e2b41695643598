export { type Action, AUTHORIZABLE_PATHS } from './actions.ts';
export { type Authorizer, allowAll } from './authorizer.ts';
export { rememberDecisions } from './decisions.ts';
export {
  AGENT_SECURITY_FLAGS,
  type AgentSecurity,
  agentSecurity,
  MASTER_SECURITY_FLAGS,
  masterSecurity,
  openAgent,
  openToAll,
  type Security,
} from './flags.ts';
export { admit, guardApp } from './http-guard.ts';
export { signJwt } from './jwt.ts';
export { formatPrincipal, type Principal } from './principal.ts';
export { agentRealm, masterRealm } from './realms.ts';
export { readTls } from './tls.ts';
