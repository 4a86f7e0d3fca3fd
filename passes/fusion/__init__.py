"""How array-to-kernel decides what becomes one nest: `probe` asks each op's own rule how it reads its operands, `clusters` groups ops by that."""
