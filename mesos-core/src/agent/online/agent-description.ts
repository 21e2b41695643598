import type { Attribute, Resources } from '../../protocol/index.ts';
import { onlineChange } from '../checkpoint/records.ts';
import type { AgentContext } from '../context.ts';

/** What was said of the agent while it ran; it outlives the agent, and its flags. */
export interface OnlineChanges {
  /** Instead of those of the flags. */
  readonly resources?: Resources | undefined;
  readonly attributes?: readonly Attribute[] | undefined;
  /** The last that etcd was heard to say; they come before all others of the same name. */
  readonly etcdAttributes?: readonly Attribute[] | undefined;
}

/** What {@link AgentDescription} needs. */
export interface AgentDescriptionOptions {
  readonly context: AgentContext;
  /** What the flags say. */
  readonly resources: Resources;
  readonly attributes: readonly Attribute[];
  /**
   * Makes the agent have these resources, without what operations made of them.
   * @throws when they do not hold what is reserved.
   */
  readonly setResources: (resources: Resources) => void;
}

/** What the agent says it is: its flags, and what was changed since while it ran. */
export class AgentDescription {
  readonly #options: AgentDescriptionOptions;

  constructor(options: AgentDescriptionOptions) {
    this.#options = options;
  }

  /** All that the agent has, before reservations and volumes. */
  get resources(): Resources {
    return this.#changes.resources ?? this.#options.resources;
  }

  get attributes(): readonly Attribute[] {
    const { attributes = this.#options.attributes, etcdAttributes = [] } = this.#changes;
    const named = new Set(etcdAttributes.map(({ name }) => name));
    return [...attributes.filter(({ name }) => !named.has(name)), ...etcdAttributes];
  }

  /**
   * Takes a change: durable first, then told to the master. A master that can't be reached hears of
   * it when the agent subscribes.
   * @throws IncompatibleResourcesError when less is left than is reserved; nothing is changed then.
   */
  async change(change: OnlineChanges): Promise<void> {
    const { context, setResources } = this.#options;
    const before = context.state.online;
    const after = { ...before, ...change };
    context.state.online = after;
    try {
      setResources(this.resources);
    } catch (error) {
      context.state.online = before;
      throw error;
    }
    await context.commit([onlineChange(after)]);
    const { agentId } = context.state;
    if (agentId === undefined) return;
    await context.callMaster({
      ...{ type: 'UPDATE_AGENT', agent_id: agentId, agent_info: context.agentInfo() },
    });
  }

  get #changes(): OnlineChanges {
    return this.#options.context.state.online;
  }
}
