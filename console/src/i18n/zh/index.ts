// 中文：页面的全部文字。
import { acts } from './acts';
import { design } from './design';
import { people } from './people';
import { shell } from './shell';
import { shop } from './shop';
import { source } from './source';
import { work } from './work';

export const zh = { ...shell, ...shop, ...people, ...work, ...acts, ...design, ...source };
