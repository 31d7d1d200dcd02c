// Two languages, the same keys in both: tests/unit/i18n.test.ts proves it.
import i18n from 'i18next';
import { initReactI18next } from 'react-i18next';
import { en } from './en';
import { zh } from './zh';

export const LANGUAGES = { en: 'English', 'zh-CN': '中文' } as const;
export type Language = keyof typeof LANGUAGES;
const KEPT = 'rialto.language';

function first(): Language {
  const asked = new URLSearchParams(location.search).get('lang');
  const kept = asked ?? localStorage.getItem(KEPT) ?? navigator.language;
  return kept.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en';
}

export function speak(language: Language) {
  localStorage.setItem(KEPT, language);
  void i18n.changeLanguage(language);
}

i18n.on('languageChanged', (language) => (document.documentElement.lang = language));
void i18n.use(initReactI18next).init({
  resources: { en: { translation: en }, 'zh-CN': { translation: zh } },
  lng: first(),
  fallbackLng: 'en',
  // React escapes what it shows; escaping twice would show entities.
  interpolation: { escapeValue: false },
});

export default i18n;
