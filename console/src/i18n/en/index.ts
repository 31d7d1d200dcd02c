// English: all texts of the page.
import { acts } from './acts';
import { design } from './design';
import { people } from './people';
import { shell } from './shell';
import { shop } from './shop';
import { source } from './source';
import { work } from './work';

export const en = { ...shell, ...shop, ...people, ...work, ...acts, ...design, ...source };
