import { BarChart, LineChart, ScatterChart } from "echarts/charts";
import { GridComponent, LegendComponent, TitleComponent } from "echarts/components";
import { type EChartsCoreOption, init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { CHARTS } from "./chart_options.ts";
import { RESULTS_FOLDER } from "./results_file.ts";

const WIDTH_PX = 760;

/** A chart of results that are there. */
export interface Chart {
  readonly option: EChartsCoreOption;
  readonly heightPx: number;
}

/** Draws every chart that there are results for, as bench/results/NAME.svg; their names. */
export async function drawCharts(): Promise<string[]> {
  use([BarChart, LineChart, ScatterChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);
  const drawn: string[] = [];
  for (const [name, make] of Object.entries(CHARTS)) {
    const chart = await make();
    if (chart === undefined) continue;
    await Deno.writeTextFile(new URL(`${name}.svg`, RESULTS_FOLDER), draw(chart));
    drawn.push(`${name}.svg`);
  }
  return drawn;
}

function draw({ option, heightPx }: Chart): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, width: WIDTH_PX, height: heightPx });
  try {
    // With animation a timer would keep the process from ending.
    chart.setOption({ animation: false, ...option });
    // Not every program that shows SVG knows the attribute.
    return chart.renderToSVGString().replaceAll('dominant-baseline="central"', 'dy="0.35em"');
  } finally {
    chart.dispose();
  }
}
