// SPDX-License-Identifier: UNLICENSED
// What the tests of the EVM connector put on their local chain.
pragma solidity ^0.8.24;

/// A token of any number of decimals, minted by whoever asks.
contract Token {
    event Transfer(address indexed from, address indexed to, uint256 value);

    uint8 public immutable decimals;
    mapping(address => uint256) public balanceOf;

    constructor(uint8 decimals_) {
        decimals = decimals_;
    }

    function mint(address to, uint256 value) external {
        unchecked {
            balanceOf[to] += value;
        }
        emit Transfer(address(0), to, value);
    }

    function transfer(address to, uint256 value) external returns (bool) {
        require(balanceOf[msg.sender] >= value, "not enough");
        balanceOf[msg.sender] -= value;
        balanceOf[to] += value;
        emit Transfer(msg.sender, to, value);
        return true;
    }

    /// Anyone may move nothing in anyone's name.
    function transferFrom(address from, address to, uint256 value) external returns (bool) {
        require(value == 0, "only nothing");
        emit Transfer(from, to, 0);
        return true;
    }

    /// Balances of consecutive addresses: value, twice the value, and so on; for measuring.
    function spread(address first, uint256 count, uint256 value) external {
        for (uint256 number = 0; number < count; number++) {
            balanceOf[address(uint160(first) + uint160(number))] = value * (number + 1);
        }
    }

    /// A balance that changes without a log, as rebasing tokens' do.
    function rebase(address of_, uint256 value) external {
        balanceOf[of_] = value;
    }
}

/// Not a token: answers with 31 bytes to one, and reverts for the other.
contract Garbled {
    function balanceOf(address) external pure {
        assembly {
            return(0, 31)
        }
    }

    function decimals() external pure {
        revert("not a token");
    }
}

/// The interface of Multicall3 that the connector uses.
contract Multicall {
    struct Call3 {
        address target;
        bool allowFailure;
        bytes callData;
    }

    struct Result {
        bool success;
        bytes returnData;
    }

    function aggregate3(Call3[] calldata calls) external payable returns (Result[] memory results) {
        results = new Result[](calls.length);
        for (uint256 number = 0; number < calls.length; number++) {
            (bool success, bytes memory returned) = calls[number].target.call(calls[number].callData);
            require(success || calls[number].allowFailure, "a call failed");
            results[number] = Result(success, returned);
        }
    }

    function getEthBalance(address of_) external view returns (uint256) {
        return of_.balance;
    }
}

/// Moves its own coins when told to, so that only traces show them moving.
contract Vault {
    receive() external payable {}

    function pay(address payable to, uint256 value) external {
        (bool success, ) = to.call{value: value}("");
        require(success, "not paid");
    }

    /// Pays, and then undoes it: the outer transaction succeeds.
    function payAndRegret(address payable to, uint256 value) external {
        try this.payAndFail(to, value) {} catch {}
    }

    function payAndFail(address payable to, uint256 value) external {
        this.pay(to, value);
        revert("regretted");
    }
}
