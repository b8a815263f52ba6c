import { declareValuePlugin, PluginKind } from '@stryker-mutator/api/plugin';

/**
 * Leaves the texts of errors as they are: what a message says is for people, and tests that repeat it word by word would
 * only stand in the way of a better one. All other texts are mutated: conditions, names of attributes and of failures.
 */
export const strykerPlugins = [
  declareValuePlugin(PluginKind.Ignore, 'messages', {
    shouldIgnore(path) {
      if (!path.isStringLiteral() && !path.isTemplateLiteral()) return undefined;
      const isError = ({ node }) =>
        (node.type === 'NewExpression' && /(Error|fault)$/.test(node.callee.name ?? '')) ||
        (node.type === 'CallExpression' && node.callee.type === 'Super') ||
        (node.type === 'CallExpression' && node.callee.name === 'fault');
      return path.findParent(isError) ? 'The text of an error is for people.' : undefined;
    },
  }),
];
