// The sentences in which the packs give their reasons: they are data and written in English; what
// the pack put there is numbered, and may be such words itself.
export const REASONS: Record<string, string> = {
  // replenishment
  '{1} pieces here and on order are at or below the reorder point of {2}':
    '现有与在途订货共 {1} 件，已不高于再订货点 {2}',
  '{1} pieces here and on the way are at or below the reorder point of {2}':
    '现有与在途共 {1} 件，已不高于再订货点 {2}',
  '{1} are sold a day, of the last {2} days': '最近 {2} 天平均每天售出 {1} 件',
  '{1} days until {2} delivers': '供应商 {2} 需 {1} 天到货',
  'order up to {1}, in packs of {2}': '补到 {1} 件，每包 {2} 件',
  '{1} can give {2} of {3}': '{1} 可调出 {2} 件（需要 {3} 件）',
  'refused: the newest movement is {1} hours older than the newest sale':
    '已拒绝：最新的库存变动比最新的销售早 {1} 小时',
  'held out: ordered as before, to see what this brings': '对照组：照旧订货，用来比较效果',
  'no supplier with a lead time': '没有填写交货期的供应商',
  // pricing
  '{1} pieces, none sold in {2} days': '有 {1} 件，{2} 天内没有售出',
  '{1} pieces are left, {2} are sold a day': '还剩 {1} 件，每天售出 {2} 件',
  '{1} pieces are there again, the regular price is {2}': '又有 {1} 件现货，常规价格为 {2}',
  'the lowest of {1} competitors asks {2}': '{1} 家竞争对手中最低价为 {2}',
  'costs {1}, and is sold for {2}': '成本 {1}，售价 {2}',
  'its cost is not known, so that there is no floor': '成本未知，因此没有底价',
  'the floor is {1}': '底价为 {1}',
  'no reduction may be announced: it was {1} within 30 days': '不得宣称降价：30 天内曾为 {1}',
  'refused: the newest {1} is {2} hours old': '已拒绝：最新的{1}已是 {2} 小时前',
  'stock or price': '库存或价格',
  price: '价格',
  'held out: the price stays, to see what the change brings': '对照组：价格不变，用来比较效果',
  // behavior
  'articles were put into the cart {1} times, and nothing more happened for {2} minutes':
    '加入购物车 {1} 次后，{2} 分钟内没有其他动作',
  'what lies in the cart is worth {1}': '购物车价值 {1}',
  'the customer agreed to marketing': '顾客同意接收营销信息',
  'refused: the customer does not want marketing': '已拒绝：顾客不接收营销信息',
  'refused: it is not known whether the customer agrees to marketing':
    '已拒绝：不知道顾客是否同意接收营销信息',
  'refused: no sale at all was known for {1} hours, so that the cart may have been bought':
    '已拒绝：{1} 小时没有任何销售数据，购物车可能已结账',
  'held out: not contacted, to see what a reminder brings': '对照组：不联系，用来比较提醒的效果',
  // delivery
  'too old: not sent within {1} hours': '已过时：{1} 小时内未能发送',
  'frequency cap: others left first': '频次上限：其他消息已先发出',
  // ads
  'after {1} hours of the day {2} of {3} is spent; at this pace it is {4} for the day':
    '当天过了 {1} 小时，{3} 的预算已花 {2}；照此速度全天为 {4}',
  'in {1} days it brought {2} for each 1 spent, and from {3} on more is spent':
    '{1} 天内每花 1 带来 {2}，达到 {3} 起增加投放',
  'in {1} days it brought {2} for each 1 spent, and below {3} less is spent':
    '{1} 天内每花 1 带来 {2}，低于 {3} 则减少投放',
  'refused: the newest event is {1} minutes old': '已拒绝：最新事件已是 {1} 分钟前',
  'held out: the budget stays, to see what the change brings': '对照组：预算不变，用来比较效果',
  // customers
  'No purchase for {1} days, after {2} orders worth {3}.':
    '已 {1} 天没有购买，此前 {2} 笔订单共 {3}。',
  'Used to buy every {1} days.': '过去每 {1} 天购买一次。',
  'Refused: the newest sale is {1} days old; silence cannot be told from a broken feed.':
    '已拒绝：最新的销售已是 {1} 天前，无法区分沉默与数据中断。',
  'Refused: no consent to advertising ({1}).': '已拒绝：未同意接收广告（{1}）。',
  'Refused: {1} messages in the last {2} days, the cap is {3}.':
    '已拒绝：最近 {2} 天已发 {1} 条，上限为 {3} 条。',
  'Held out: {1} % of customers get none, to compare with.':
    '对照组：{1} % 的顾客不发送，用来比较。',
  // recommend
  '{1} articles of the list {2}; inputs say why each is there':
    '列表 {2} 中的 {1} 件商品；依据中写明每件的原因',
  'the customer has no list of its own yet': '该顾客还没有自己的列表',
  'degraded to what is popular: {1}, so that what was just bought cannot be left out':
    '降级为热门商品：{1}，无法排除刚买过的商品',
  'the newest sale is {1} hours old': '最新的销售已是 {1} 小时前',
  'no sale is known': '没有销售数据',
  'degraded: the newest movement of stock is {1} hours old, so that an article may be out of stock':
    '降级：最新的库存变动已是 {1} 小时前，商品可能缺货',
  'held out: what is popular, to see what a list of its own brings':
    '对照组：热门商品，用来比较个人列表的效果',
  'Bought {1} times, last on {2}': '买过 {1} 次，最近在 {2}',
  'Popular: number {1}': '热门：第 {1} 名',
  'A popular one: number {1}': '热门商品：第 {1} 名',
  'Bought together with {1}': '常与 {1} 一起购买',
  'Looked at together with {1}': '常与 {1} 一起浏览',
};
