{#- One spelling for each place where assets are held. Two wallets on one address would count its coins twice, so what
    differs only in spelling must compare as equal, and what differs in substance (base58) must not. -#}

{% macro normalised_network(network) -%}
    lower(trim({{ network }}))
{%- endmacro %}


{% macro normalised_address(network, address) -%}
    {#- The address in one spelling, see normalised_visible_address. -#}
    {{ normalised_visible_address(network, without_white_space(address)) }}
{%- endmacro %}


{% macro normalised_visible_address(network, bare) -%}
    {#- An address without white space in one spelling: bank, custodian and venue accounts in upper case, those of banks
        without separators and a leading `IBAN`; hexadecimal addresses, and all that begins like one (base58 has no
        zero), in lower case with `0x`; in lower case too what begins like a bech32 address, and what is written in one
        case throughout; anything else (base58) as written, since its case matters. Each branch reads the address
        again, so models of many rows take the white space away in a query before. -#}
    case
        when {{ normalised_network(network) }} = 'bank'
            then {{ text_without(text_without('upper(' ~ bare ~ ')', '[^0-9A-Z]'), '^IBAN') }}
        when {{ normalised_network(network) }} in ('custodian', 'venue') then upper({{ bare }})
        when {{ text_matches('lower(' ~ bare ~ ')', '^[0-9a-f]{40}$') }} then '0x' || lower({{ bare }})
        when {{ text_matches('lower(' ~ bare ~ ')', '^0x') }} then lower({{ bare }})
        when {{ text_matches('lower(' ~ bare ~ ')', '^(bc|tb|ltc)1') }} then lower({{ bare }})
        when {{ bare }} in (lower({{ bare }}), upper({{ bare }})) then lower({{ bare }})
        else {{ bare }}
    end
{%- endmacro %}
