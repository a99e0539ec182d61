/** The names of the nodes of a pod. */

/** A container of a clone, and the node it is. */
export interface NodeName<C> {
  readonly node: string;
  readonly clone: number;
  readonly container: C;
}

/** `<pod>`, with `-<clone>` where there are several clones and `-<container>` where there are several containers; clone by clone. */
export function nodeNames<C extends { readonly name: { readonly value: string } }>(pod: {
  readonly name: { readonly value: string };
  readonly clones: number;
  readonly containers: readonly C[];
}): NodeName<C>[] {
  const names: NodeName<C>[] = [];
  for (let clone = 0; clone < pod.clones; clone++) {
    for (const container of pod.containers) {
      const ofClone = pod.clones > 1 ? `-${clone}` : '';
      const ofContainer = pod.containers.length > 1 ? `-${container.name.value}` : '';
      names.push({ node: `${pod.name.value}${ofClone}${ofContainer}`, clone, container });
    }
  }
  return names;
}
