import type { MasterEvent } from '../../protocol/index.ts';
import type { MasterCore } from '../core.ts';
import type { Agent, Framework } from '../state.ts';
import { agentForm, frameworkForm } from './operator-form.ts';
import { viewAgent, viewFramework } from './snapshot.ts';

/** An agent that was not there before, for operators. */
export function agentAdded(core: MasterCore, agent: Agent): MasterEvent {
  return { type: 'AGENT_ADDED', agent_added: { agent: agentForm(viewAgent(core, agent)) } };
}

/** A framework that was not there before, for operators. */
export function frameworkAdded(core: MasterCore, framework: Framework): MasterEvent {
  const view = frameworkForm(viewFramework(core, framework), []);
  return { type: 'FRAMEWORK_ADDED', framework_added: { framework: view } };
}

/** A framework that came back, or changed its description, for operators. */
export function frameworkUpdated(core: MasterCore, framework: Framework): MasterEvent {
  const view = frameworkForm(viewFramework(core, framework), []);
  return { type: 'FRAMEWORK_UPDATED', framework_updated: { framework: view } };
}
