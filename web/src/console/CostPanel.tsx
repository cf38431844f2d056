/** What the session cost, to the micro-dollar, by component. */

import type { Costs } from "../api/types";
import { dollars, duration, quantity } from "../shared/format";
import { componentLabel } from "./labels";
import { Empty } from "./parts";

export function CostPanel({ costs }: { costs: Costs }) {
  if (costs.components.length === 0) {
    return <Empty title="No cost yet">Nothing was charged for this session.</Empty>;
  }
  const groups = new Map<string, Costs["components"]>();
  for (const component of costs.components) {
    const { group } = componentLabel(component.component);
    groups.set(group, [...(groups.get(group) ?? []), component]);
  }
  return (
    <div className="table-frame card cost-frame">
      <table className="costs" data-testid="costs">
        <caption className="visually-hidden">Cost by component in US dollars</caption>
        <thead>
          <tr>
            <th scope="col">Component</th>
            <th scope="col" className="number">
              Quantity
            </th>
            <th scope="col" className="number">
              Cost
            </th>
          </tr>
        </thead>
        {[...groups].map(([group, components]) => (
          <tbody key={group}>
            <tr className="group">
              <th scope="rowgroup" colSpan={2}>
                {group}
              </th>
              <td className="number">
                {dollars(
                  components.reduce((sum, component) => sum + component.cost_micro_usd, 0),
                  4,
                )}
              </td>
            </tr>
            {components.map((component) => (
              <tr key={component.component}>
                <th scope="row">{componentLabel(component.component).label}</th>
                <td className="number">
                  {component.component.endsWith("_ms")
                    ? duration(component.quantity)
                    : `${quantity(component.quantity)} ${component.unit}`}
                </td>
                <td className="number">{dollars(component.cost_micro_usd, 4)}</td>
              </tr>
            ))}
          </tbody>
        ))}
        <tfoot>
          <tr>
            <th scope="row" colSpan={2}>
              Total
            </th>
            <td className="number" data-testid="cost-total">
              {dollars(costs.total_micro_usd, 4)}
            </td>
          </tr>
        </tfoot>
      </table>
    </div>
  );
}
