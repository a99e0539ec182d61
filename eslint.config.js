// What the compiler does not see: promises that nobody awaits, imports that pull in code for a type, conditions that are always true.
import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

export default defineConfig(
  {
    ignores: [
      'dist/',
      'dist-packages/',
      '.cache/',
      'target/',
      'benchmark/node_modules/',
      '__test__/programs/',
      '__test__/fixtures/ship/',
      'bindings/',
      '**/*.d.ts',
    ],
  },
  js.configs.recommended,
  {
    files: ['**/*.{js,mjs}'],
    languageOptions: {
      globals: Object.fromEntries(
        [
          'process',
          'console',
          'performance',
          'URL',
          'setTimeout',
          'clearTimeout',
          'setImmediate',
          'Buffer',
          'AbortController',
          'AbortSignal',
        ].map((name) => [name, 'readonly']),
      ),
    },
  },
  {
    files: [
      'lib/**/*.ts',
      'cli/**/*.ts',
      '__test__/**/*.ts',
      'examples/**/*.ts',
      'interop/**/*.ts',
      'page/**/*.{ts,tsx}',
    ],
    extends: [tseslint.configs.recommended],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', caughtErrors: 'none' }],
      // A worker's class takes arguments of any type; `unknown[]` would refuse every constructor.
      '@typescript-eslint/no-explicit-any': 'off',
    },
  },
  {
    // A test and a program may leave a promise to its fate: that is what they show.
    files: ['__test__/**/*.ts', 'examples/**/*.ts', 'interop/**/*.ts'],
    rules: { '@typescript-eslint/no-floating-promises': 'off', '@typescript-eslint/await-thenable': 'off' },
  },
);
