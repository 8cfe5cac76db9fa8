# Generated from schema/checkpoint.fbs; do not edit: npm run gen
