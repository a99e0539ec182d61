/** What an expression of PromQL names: by the grammar that Prometheus' own pages use. */
import { parser } from '@prometheus-io/lezer-promql';

/** A selector: a metric, and what its labels are compared with. */
export interface Selector {
  readonly metric: string;
  readonly matchers: { readonly label: string; readonly operator: string; readonly value: string }[];
}

/** What an expression names. */
export interface Named {
  readonly selectors: Selector[];
  /** Labels by which it groups or joins. */
  readonly labels: string[];
}

/** Reads an expression; throws with the place of what is no PromQL. */
export function namesIn(expression: string): Named {
  const tree = parser.parse(expression);
  const text = (node: { from: number; to: number }) => expression.slice(node.from, node.to);
  const selectors: Selector[] = [];
  const labels: string[] = [];
  tree.iterate({
    enter(node) {
      if (node.type.isError) throw new Error(`no PromQL at ${node.from}: ${expression}`);
      if (node.name === 'VectorSelector') {
        const metric = node.node.getChild('Identifier');
        const matchers = (node.node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? []).map(
          (matcher) => {
            const [label, operator, value] = ['LabelName', 'MatchOp', 'StringLiteral'].map((kind) =>
              matcher.getChild(kind),
            );
            if (!label || !operator || !value) throw new Error(`no matcher: ${text(matcher)}`);
            return { label: text(label), operator: text(operator), value: text(value).slice(1, -1) };
          },
        );
        selectors.push({ metric: metric ? text(metric) : '', matchers });
      }
      if (node.name === 'GroupingLabels') labels.push(...node.node.getChildren('LabelName').map(text));
    },
  });
  return { selectors, labels };
}
