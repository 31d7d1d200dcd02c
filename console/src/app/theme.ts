// Colours and type: lagoon for what one can act on, terracotta for harm, ochre for care.
import { createTheme, rem, type MantineColorsTuple } from '@mantine/core';

const lagoon: MantineColorsTuple = [
  '#e8f5f4',
  '#cfe7e6',
  '#a3d0ce',
  '#74b8b6',
  '#4ea4a2',
  '#2b8b8a',
  '#0e7173',
  '#0b5f61',
  '#084d4f',
  '#053b3d',
];
const terracotta: MantineColorsTuple = [
  '#fdf0ec',
  '#f7dcd4',
  '#edb9aa',
  '#e3937d',
  '#da7357',
  '#cf5a3d',
  '#b4432a',
  '#973622',
  '#7a2b1b',
  '#5d2014',
];
const ochre: MantineColorsTuple = [
  '#fdf6e6',
  '#f8e9c6',
  '#f0d391',
  '#e8bd5c',
  '#dfa936',
  '#c28e1d',
  '#8f6508',
  '#785407',
  '#604305',
  '#483203',
];
const moss: MantineColorsTuple = [
  '#eef6ee',
  '#d8ead9',
  '#b2d4b4',
  '#88bc8b',
  '#63a567',
  '#478d4c',
  '#2f7535',
  '#25612b',
  '#1c4d22',
  '#143918',
];
const gray: MantineColorsTuple = [
  '#faf9f6',
  '#f3f1ec',
  '#e8e5dd',
  '#d8d4ca',
  '#bdb8ac',
  '#8d887c',
  '#6a665c',
  '#4f4c44',
  '#37352f',
  '#23221e',
];
const dark: MantineColorsTuple = [
  '#e6e5e1',
  '#c4c3bf',
  '#a3a29f',
  '#8b8a88',
  '#45484d',
  '#34373c',
  '#2a2d32',
  '#1d1f23',
  '#16181b',
  '#0f1113',
];

export const theme = createTheme({
  primaryColor: 'lagoon',
  primaryShade: { light: 6, dark: 4 },
  autoContrast: true,
  colors: { lagoon, terracotta, ochre, moss, gray, dark },
  fontFamily:
    '"Inter Variable", Inter, "PingFang SC", "Noto Sans CJK SC", "Noto Sans SC", ' +
    '"Microsoft YaHei", system-ui, sans-serif',
  fontFamilyMonospace: 'ui-monospace, "SF Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace',
  headings: { fontWeight: '600' },
  defaultRadius: 'sm',
  fontSizes: { xs: rem(12), sm: rem(13), md: rem(14), lg: rem(16), xl: rem(20) },
  cursorType: 'pointer',
  focusRing: 'auto',
});
