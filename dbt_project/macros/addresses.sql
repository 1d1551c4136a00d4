{#- One spelling for each place where assets are held. Two wallets on one address would count its coins twice, so what
    differs only in spelling must compare as equal, and what differs in substance (base58) must not. -#}

{% macro normalised_network(network) -%}
    lower(trim({{ network }}))
{%- endmacro %}


{% macro normalised_address(network, address) -%}
    {#- The address in one spelling: no white space; bank, custodian and venue accounts in upper case, those of banks
        without separators and a leading `IBAN`; hexadecimal addresses, and all that begins like
        one (base58 has no zero), in lower case with `0x`; bech32 addresses, which
        are valid in one case only, in lower case; anything else (base58) as written, since its case matters. -#}
    {%- set bare = "regexp_replace(" ~ address ~ ", '[\\s\\p{Cf}]', '', 'g')" -%}
    case
        when {{ normalised_network(network) }} = 'bank'
            then regexp_replace(regexp_replace(upper({{ bare }}), '[^0-9A-Z]', '', 'g'), '^IBAN', '')
        when {{ normalised_network(network) }} in ('custodian', 'venue') then upper({{ bare }})
        when regexp_full_match(lower({{ bare }}), '[0-9a-f]{40}') then '0x' || lower({{ bare }})
        when starts_with(lower({{ bare }}), '0x') then lower({{ bare }})
        when
            {{ bare }} in (lower({{ bare }}), upper({{ bare }}))
            and regexp_full_match(lower({{ bare }}), '[a-z]{1,83}1[02-9ac-hj-np-z]{6,}')
            then lower({{ bare }})
        else {{ bare }}
    end
{%- endmacro %}
