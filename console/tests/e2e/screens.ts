// Every screen: its name, its address, and what is there once it has what it shows.
const PIPELINE = `CREATE VIEW by_sku AS
SELECT p.sku, SUM(p.on_hand) AS pieces, COUNT(*) AS places
FROM inventory_position AS p
LEFT JOIN inventory_stock_out_risk AS r ON p.sku = r.sku AND p.location_id = r.location_id
WHERE p.on_hand > 0
GROUP BY p.sku;
CREATE MATERIALIZED VIEW fullest AS
SELECT sku, pieces FROM by_sku ORDER BY pieces DESC LIMIT 5;`;
const QUESTION = `SELECT location_id, SUM(on_hand) AS pieces, COUNT(*) AS skus
FROM inventory_position WHERE on_hand > 0 GROUP BY location_id`;
export const SCREENS: [string, string, RegExp][] = [
  ['overview', '/', /Sales so far|今日累计销售/],
  ['inventory', '/inventory', /sku-1/],
  ['pricing', '/pricing', /Price changes|价格变动/],
  ['customers', '/customers', /c-1/],
  ['customer', '/customers/c-1', /What is known|已知的标签/],
  ['recommendations', '/recommendations', /Discover|发现/],
  ['funnel', '/funnel', /Steps of a visit|访问的步骤/],
  ['ads', '/ads', /ad-1/],
  ['decisions', '/decisions', /What came of it|结果如何/],
  ['sql', '/sql?q=SELECT%20sku%2C%20on_hand%20FROM%20inventory_position', /sku-3/],
  [
    'changes',
    '/sql?as=changes&q=SELECT%20sku%2C%20on_hand%20FROM%20inventory_position',
    /rows, asked again|重新查询/,
  ],
  [
    'plan',
    `/sql?as=plan&q=${encodeURIComponent(QUESTION)}`,
    /steps would keep this right|会让它保持正确/,
  ],
  ['catalogue', '/catalogue?view=sales_by_day', /gmv_day_before/],
  ['jobs', '/jobs', /From the sources to a view|从数据源到视图/],
  ['sources', '/sources', /sale_line/],
  ['add-source', '/sources?add=source', /Where it reads|从哪里读取/],
  ['wall', '/wall', /Best sellers|今日畅销/],
  ['alerts', '/alerts', /No alert of your own yet|还没有自定义告警/],
  ['lineage', '/lineage?view=sales_by_day&column=gmv', /sale_line\.line_total/],
  ['editor', `/editor?node=0%3A%3Aend&text=${encodeURIComponent(PIPELINE)}`, /rows of step|行，第/],
  ['settings', '/settings', /Tokens|令牌/],
];
